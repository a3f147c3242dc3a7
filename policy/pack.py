"""The rules as a policy pack of the engine. A preview that violates a rule fails, unless the rule is advisory."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pulumi
from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

from policy import rules
from policy.resource import UNKNOWN, Resource, Rule, StackRule

_Policy = ResourceValidationPolicy | StackValidationPolicy
_Inputs = dict[str, Mapping[str, Any]]  # by URN


def known(value: Any) -> Any:  # noqa: ANN401 (inputs have no static type)
    """Copies a value of the engine, with UNKNOWN for each value that a preview does not know and cannot read."""
    if isinstance(value, Mapping):
        return {key: _element(cast(Mapping[str, Any], value), key) for key in cast(Mapping[str, Any], value)}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_element(cast(Sequence[Any], value), index) for index in range(len(cast(Sequence[Any], value)))]
    return value


def _element(container: Any, key: Any) -> Any:  # noqa: ANN401 (inputs have no static type)
    try:
        return known(container[key])
    except UnknownValueError:
        return UNKNOWN


def _resource(source: ResourceValidationArgs | PolicyResource, inputs: _Inputs) -> Resource:
    """Converts a resource. The engine never reports secret inputs, and reports dependencies to stack rules only.

    To these it reports outputs, which are empty for an object of a cluster that does not exist yet. So they get the
    inputs that it has reported before.
    """
    dependencies: list[PolicyResource] = getattr(source, "dependencies", [])
    if isinstance(source, ResourceValidationArgs):
        inputs[source.urn] = known(source.props)
    return Resource(
        type=source.resource_type,
        name=source.name,
        props=inputs[source.urn] if source.urn in inputs else known(source.props),
        protect=source.opts.protect,
        dependencies=frozenset(dependency.name for dependency in dependencies),
    )


def _resource_policy(rule: Rule, allowed: Sequence[rules.Exemption], inputs: _Inputs) -> ResourceValidationPolicy:
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        resource = _resource(args, inputs)
        for problem in rule.check(resource):
            if not _is_allowed(allowed, rule.name, resource, problem):
                report(problem, None)

    return ResourceValidationPolicy(rule.name, rule.description, validate, _level(rule))


def _stack_policy(rule: StackRule, allowed: Sequence[rules.Exemption], inputs: _Inputs) -> StackValidationPolicy:
    def validate(args: StackValidationArgs, report: ReportViolation) -> None:
        urns = {(resource.resource_type, resource.name): resource.urn for resource in args.resources}
        for resource, problem in rule.check([_resource(resource, inputs) for resource in args.resources]):
            if not _is_allowed(allowed, rule.name, resource, problem):
                report(problem, urns[resource.type, resource.name])

    return StackValidationPolicy(rule.name, rule.description, validate, _level(rule))


def _level(rule: Rule | StackRule) -> EnforcementLevel:
    return EnforcementLevel.ADVISORY if rule.advisory else EnforcementLevel.MANDATORY


def _is_allowed(allowed: Sequence[rules.Exemption], rule: str, resource: Resource, problem: str) -> bool:
    return any(entry.covers(rule, resource, problem, pulumi.get_stack()) for entry in allowed)


def policies() -> list[_Policy]:
    """All rules, as policies of the engine."""
    allowed, inputs = rules.exemptions(), _Inputs()
    return [
        *(_resource_policy(rule, allowed, inputs) for rule in rules.RULES),
        *(_stack_policy(rule, allowed, inputs) for rule in rules.STACK_RULES),
    ]


def serve() -> None:
    """Answers the engine until it ends this process."""
    PolicyPack(name="observability", policies=cast(Any, policies()), enforcement_level=EnforcementLevel.MANDATORY)
