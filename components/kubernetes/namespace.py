"""A namespace as the platform wants it: Pod Security enforced, and no traffic but DNS unless a policy allows it."""

from collections.abc import Mapping, Sequence
from typing import Literal, NotRequired, TypedDict

import pulumi
import pulumi_kubernetes as k8s

from components.kubernetes.labels import labels
from components.kubernetes.network_policies import DNS


class NamespaceArgs(TypedDict):
    """Arguments of Namespace."""

    name: str
    """Name of the Kubernetes namespace."""
    security: NotRequired[Literal["restricted", "privileged"]]
    """Pod Security level; `restricted` if left out. Only the node agent needs the other, for its node's log files."""
    labels: NotRequired[Mapping[str, str]]
    """Further labels."""
    after: NotRequired[Sequence[pulumi.Resource]]
    """What all that is in the namespace needs, and outlives it."""


class Namespace(pulumi.ComponentResource):
    """A namespace in which nothing talks unasked and, unless said otherwise, nothing runs as root."""

    namespace: pulumi.Output[str]
    """Its name; objects that use it are created after, and deleted before, the namespace."""

    def __init__(self, name: str, args: NamespaceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:Namespace", name, {}, opts)
        level = args.get("security", "restricted")
        security = {f"pod-security.kubernetes.io/{mode}": level for mode in ("enforce", "audit", "warn")}
        namespace = k8s.core.v1.Namespace(
            f"{name}-namespace",
            metadata={
                "name": args["name"],
                "labels": {**labels(args["name"]), **security, **args.get("labels", {})},
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.get("after", []))),
        )
        self.namespace = namespace.metadata.apply(lambda metadata: metadata.name or args["name"])
        k8s.networking.v1.NetworkPolicy(
            f"{name}-default-deny",
            metadata={"name": "default-deny", "namespace": self.namespace, "labels": labels(args["name"])},
            spec={"pod_selector": {}, "policy_types": ["Ingress", "Egress"], "egress": [DNS]},
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.register_outputs({"namespace": self.namespace})
