"""All rules, and the violations that they find in a stack."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from policy import data, encryption, exceptions, iam, network, plain_secrets, pods
from policy.exceptions import Exemption
from policy.resource import Resource, Rule, StackRule

RULES: tuple[Rule, ...] = (
    *pods.RULES,
    *plain_secrets.RULES,
    *network.RULES,
    *iam.RULES,
    *encryption.RULES,
    *data.RULES,
)
STACK_RULES: tuple[StackRule, ...] = (*network.STACK_RULES, *encryption.STACK_RULES, *data.STACK_RULES)
NAMES = tuple(rule.name for rule in (*RULES, *STACK_RULES))


@dataclass(frozen=True, kw_only=True)
class Violation:
    """A violation of a rule by a resource."""

    rule: str
    resource: Resource
    problem: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.resource.type} {self.resource.name}: {self.problem}"


def exemptions() -> list[Exemption]:
    """The exceptions in this folder's list."""
    return exceptions.load(rules=NAMES)


def found(resources: Sequence[Resource]) -> Iterator[Violation]:
    """Yields all violations, including those that the exceptions allow."""
    for rule in RULES:
        for resource in resources:
            for problem in rule.check(resource):
                yield Violation(rule=rule.name, resource=resource, problem=problem)
    for stack_rule in STACK_RULES:
        for resource, problem in stack_rule.check(resources):
            yield Violation(rule=stack_rule.name, resource=resource, problem=problem)


def violations(resources: Sequence[Resource], *, stack: str, allowed: Sequence[Exemption]) -> list[Violation]:
    """Violations in a stack, except those that `allowed` covers."""
    return [
        violation
        for violation in found(resources)
        if not any(entry.covers(violation.rule, violation.resource, violation.problem, stack) for entry in allowed)
    ]
