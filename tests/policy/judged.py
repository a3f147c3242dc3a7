"""Runs one policy rule on resources that a test defines."""

from typing import Any

from policy.resource import Resource
from policy.rules import NAMES, found


def judged(rule: str, *resources: Resource) -> list[str]:
    """The problems that `rule` finds in a stack with these resources."""
    assert rule in NAMES
    return [violation.problem for violation in found(resources) if violation.rule == rule]


def aws(type_: str, props: dict[str, Any], name: str = "it", **more: Any) -> Resource:
    """An AWS resource; `type_` is, for example, s3/bucket:Bucket."""
    return Resource(type=f"aws:{type_}", name=name, props=props, **more)


def deployment(container: dict[str, Any] | None = None, **pod: Any) -> Resource:
    """A Deployment that satisfies every rule, except for the given changes of its container and its pod."""
    base = {
        "name": "app",
        "image": "registry.example.com/app:1.2.3",
        "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "64Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    spec = {
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{**base, **(container or {})}],
        **pod,
    }
    return kubernetes("apps/v1:Deployment", {"spec": {"template": {"spec": spec}}})


def kubernetes(type_: str, props: dict[str, Any], name: str = "it", **more: Any) -> Resource:
    """A Kubernetes object; `type_` is, for example, core/v1:Service."""
    return Resource(type=f"kubernetes:{type_}", name=name, props=props, **more)
