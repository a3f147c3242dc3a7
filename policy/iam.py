"""Rules for permissions in AWS and in the cluster: no wildcard as action, resource or principal."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from policy.resource import UNKNOWN, Resource, Rule, elements

# Type -> (input with a policy document, whether the document belongs to one object). In such a document, the resource
# "*" means that object.
_DOCUMENTS = {
    "aws:iam/policy:Policy": ("policy", False),
    "aws:iam/rolePolicy:RolePolicy": ("policy", False),
    "aws:iam/role:Role": ("assumeRolePolicy", True),
    "aws:kms/key:Key": ("policy", True),
    "aws:s3/bucketPolicy:BucketPolicy": ("policy", False),
    "aws:opensearch/domainPolicy:DomainPolicy": ("accessPolicies", False),
    "aws:secretsmanager/secretPolicy:SecretPolicy": ("policy", True),
    "aws:sqs/queuePolicy:QueuePolicy": ("policy", False),
    "aws:sns/topicPolicy:TopicPolicy": ("policy", False),
}
_INVERTED = ("NotAction", "NotResource", "NotPrincipal")
# AWS managed policies that grant a whole service, or everything.
_BROAD = re.compile(r"/(AdministratorAccess|PowerUserAccess|IAMFullAccess|\w*FullAccess)$")
_ROLES = ("kubernetes:rbac.authorization.k8s.io/v1:ClusterRole", "kubernetes:rbac.authorization.k8s.io/v1:Role")
_TAKEOVER = {"escalate", "bind", "impersonate"}


def statements(document: Any) -> list[Mapping[str, Any]]:  # noqa: ANN401 (text, or an object)
    """The statements of a policy document; empty if the document is unknown. Raises ValueError if it is not JSON."""
    if document is None or document is UNKNOWN:
        return []
    parsed = json.loads(document) if isinstance(document, str) else document
    return cast(list[Mapping[str, Any]], elements(parsed.get("Statement")))


def _wildcards(resource: Resource) -> Iterator[str]:
    if resource.type not in _DOCUMENTS:
        return
    key, of_one_object = _DOCUMENTS[resource.type]
    try:
        document = statements(resource.props.get(key))
    except ValueError:
        yield f"{key} is not JSON"
        return
    for number, statement in enumerate(document):
        if statement.get("Effect") == "Allow":
            label = statement.get("Sid") or number
            yield from (f"statement {label}: {problem}" for problem in _too_broad(statement, of_one_object))


def _too_broad(statement: Mapping[str, Any], of_one_object: bool) -> Iterator[str]:
    yield from (f"{key} allows everything except a few" for key in _INVERTED if key in statement)
    for action in elements(statement.get("Action")):
        if "*" in str(action):
            yield f"action {action}"
    for target in elements(statement.get("Resource")):
        if _unbounded(str(target)) and not of_one_object:
            yield f"resource {target}"
    principal = statement.get("Principal")
    principals = _members(cast(Mapping[str, Any], principal)) if isinstance(principal, Mapping) else elements(principal)
    if "*" in principals:
        yield "principal *"


def _members(principal: Mapping[str, Any]) -> list[Any]:
    return [member for members in principal.values() for member in elements(members)]


def _unbounded(target: str) -> bool:
    """Whether an ARN covers more than one resource and its contents: it has a wildcard other than a final `/*`."""
    if target == "*":
        return True
    if not target.startswith("arn:"):
        return False
    name = target.split(":", 5)[-1]
    return "*" in target.removesuffix("/*") or not name


def _managed(resource: Resource) -> Iterator[str]:
    if resource.type != "aws:iam/rolePolicyAttachment:RolePolicyAttachment":
        return
    arn = resource.props.get("policyArn")
    if isinstance(arn, str) and _BROAD.search(arn):
        yield f"policyArn {arn}; allowed: a policy that names the actions in use"


def _cluster(resource: Resource) -> Iterator[str]:
    if resource.type not in _ROLES:
        return
    for rule in elements(resource.props.get("rules")):
        for key in ("apiGroups", "resources", "verbs"):
            if "*" in elements(rule.get(key)):
                yield f"{key} has *; allowed: names"
        for verb in sorted(_TAKEOVER & set(elements(rule.get("verbs")))):
            yield f"verb {verb} allows privilege escalation"


RULES = (
    Rule(
        name="iam-no-wildcard",
        description="An AWS policy names each action, resource and principal.",
        check=_wildcards,
    ),
    Rule(name="iam-no-broad-policy", description="No role has a policy that grants a whole service.", check=_managed),
    Rule(
        name="rbac-no-wildcard",
        description="A role in the cluster names its API groups, resources and verbs.",
        check=_cluster,
    ),
)
