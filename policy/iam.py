"""Rules for permissions in AWS and in the cluster: no wildcard as action, resource or principal."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from policy.resource import UNKNOWN, Resource, Rule, at, elements

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
_BINDINGS = (
    "kubernetes:rbac.authorization.k8s.io/v1:ClusterRoleBinding",
    "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding",
)
_BROAD_ROLES = {"cluster-admin", "admin", "edit"}
_EVERYBODY = {"system:authenticated", "system:unauthenticated", "system:serviceaccounts", "system:masters"}
_TAKEOVER = {"escalate", "bind", "impersonate"}
_READ, _CHANGE = {"get", "list", "watch"}, {"create", "patch", "update"}
# Resource -> verbs that give the rights of others (Kubernetes, "Role Based Access Control Good Practices").
_TAKEOVER_BY: Mapping[str, set[str]] = {
    "secrets": _READ,
    "pods/exec": {"create", "get"},
    "pods/attach": {"create", "get"},
    "pods/portforward": {"create", "get"},
    "pods/ephemeralcontainers": _CHANGE,
    "nodes/proxy": {*_READ, *_CHANGE},
    "services/proxy": {*_READ, *_CHANGE},
    "serviceaccounts/token": {"create"},
    "certificatesigningrequests/approval": _CHANGE,
    "clusterroles": _CHANGE,
    "clusterrolebindings": _CHANGE,
    "roles": _CHANGE,
    "rolebindings": _CHANGE,
    "mutatingwebhookconfigurations": _CHANGE,
    "validatingwebhookconfigurations": _CHANGE,
}
_ROLE = "aws:iam/role:Role"
_ATTACHMENT = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
_ACCESS = {"AmazonEKSClusterAdminPolicy", "AmazonEKSAdminPolicy", "AmazonEKSEditPolicy"}


def statements(document: Any) -> list[Mapping[str, Any]]:  # noqa: ANN401 (text, or an object)
    """The statements of a policy document; empty if the document is unknown. Raises ValueError if it is not JSON."""
    if document is None or document is UNKNOWN:
        return []
    parsed = json.loads(document) if isinstance(document, str) else document
    return cast(list[Mapping[str, Any]], elements(parsed.get("Statement")))


def _wildcards(resource: Resource) -> Iterator[str]:
    for key, document, of_one_object in _documents(resource):
        try:
            parsed = statements(document)
        except ValueError:
            yield f"{key} is not JSON"
            continue
        for number, statement in enumerate(parsed):
            if statement.get("Effect") == "Allow":
                label = statement.get("Sid") or number
                yield from (f"statement {label}: {problem}" for problem in _too_broad(statement, of_one_object))


def _documents(resource: Resource) -> Iterator[tuple[str, Any, bool]]:
    """Name of the input, document, and whether it belongs to one object, for each policy document of a resource."""
    if resource.type in _DOCUMENTS:
        key, of_one_object = _DOCUMENTS[resource.type]
        yield key, resource.props.get(key), of_one_object
    if resource.type == _ROLE:
        for inline in elements(resource.props.get("inlinePolicies")):
            yield "inlinePolicies", at(inline, "policy"), False


def _trusted(resource: Resource) -> Iterator[str]:
    """Accounts, users and roles that a role trusts. Services and OpenID Connect providers are no such principals."""
    if resource.type != _ROLE:
        return
    try:
        document = statements(resource.props.get("assumeRolePolicy"))
    except ValueError:
        return  # reported as no JSON
    for statement in document:
        if statement.get("Effect") == "Allow":
            for member in elements(at(statement, "Principal", "AWS")):
                yield f"assumeRolePolicy trusts {member}; allowed: services, and OpenID Connect providers"


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
    key = {_ATTACHMENT: "policyArn", _ROLE: "managedPolicyArns"}.get(resource.type, "")
    for arn in elements(resource.props.get(key)):
        if _BROAD.search(str(arn)):
            yield f"{key} {arn}; allowed: a policy that names the actions in use"


def _cluster_access(resource: Resource) -> Iterator[str]:
    if resource.type != "aws:eks/accessPolicyAssociation:AccessPolicyAssociation":
        return
    arn = str(resource.props.get("policyArn"))
    if arn.rsplit("/", 1)[-1] in _ACCESS and at(resource.props, "accessScope", "type") in ("cluster", UNKNOWN):
        yield f"policyArn {arn} for the whole cluster; allowed: accessScope namespace, or a policy that only views"


def _cluster(resource: Resource) -> Iterator[str]:
    if resource.type not in _ROLES:
        return
    for rule in elements(resource.props.get("rules")):
        for key in ("apiGroups", "resources", "verbs"):
            if "*" in elements(rule.get(key)):
                yield f"{key} has *; allowed: names"
        for verb in sorted(_TAKEOVER & set(elements(rule.get("verbs")))):
            yield f"verb {verb} allows privilege escalation"
        # Single objects can be named, and an object that is named cannot be created or listed.
        if not elements(rule.get("resourceNames")):
            yield from _takeovers(rule)


def _takeovers(rule: Mapping[str, Any]) -> Iterator[str]:
    """Rights to resources through which a holder gets the rights of others."""
    verbs = set(elements(rule.get("verbs")))
    for kind in elements(rule.get("resources")):
        if found := sorted(verbs & _TAKEOVER_BY.get(str(kind), set[str]())):
            yield f"{', '.join(found)} of {kind} gives the rights of others; allowed: single objects (resourceNames)"


def _bound(resource: Resource) -> Iterator[str]:
    if resource.type not in _BINDINGS:
        return
    role = at(resource.props, "roleRef", "name")
    if role in _BROAD_ROLES:
        yield f"roleRef is {role}; allowed: a role that names resources and verbs"
    for subject in elements(resource.props.get("subjects")):
        if at(subject, "kind") == "Group" and at(subject, "name") in _EVERYBODY:
            yield f"subject {at(subject, 'name')}; allowed: named service accounts, users and groups"


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
    Rule(
        name="iam-trust",
        description="A role in AWS trusts services and OpenID Connect providers only.",
        check=_trusted,
    ),
    Rule(
        name="cluster-access",
        description="No IAM role administers the whole cluster.",
        check=_cluster_access,
    ),
    Rule(
        name="rbac-no-broad-role",
        description="Nobody is bound to a role that grants everything, and no role is bound to everybody.",
        check=_bound,
    ),
)
