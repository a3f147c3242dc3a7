"""A namespace with enforced Pod Security and a policy that denies all traffic except DNS."""

from collections.abc import Mapping, Sequence
from typing import Literal, NotRequired, TypedDict

import pulumi
import pulumi_kubernetes as k8s

from components.kubernetes.labels import labels
from components.kubernetes.network_policies import dns
from components.kubernetes.outbound import ca_bundle
from components.kubernetes.pull_secret import pull_secret


class SharedArgs(TypedDict):
    """Arguments that all namespaces of a stack have in common."""

    dns_servers: NotRequired[Sequence[pulumi.Input[str]]]
    """CIDRs of DNS servers that are no pods; none by default."""
    image_login: NotRequired[str]
    """Docker's config.json with the login at the registry of the images; none by default."""
    ca_bundle: NotRequired[str]
    """PEM of the authorities that its pods trust; those of their images by default."""


class NamespaceArgs(SharedArgs):
    """Arguments of Namespace."""

    name: str
    """Name of the Kubernetes namespace."""
    security: NotRequired[Literal["restricted", "privileged"]]
    """Pod Security level; defaults to `restricted`. Only the node agents need `privileged`, to mount host folders."""
    labels: NotRequired[Mapping[str, str]]
    """Further labels."""
    after: NotRequired[Sequence[pulumi.Resource]]
    """Prerequisites of everything in the namespace; they are deleted after it."""


class Namespace(pulumi.ComponentResource):
    """A namespace that denies all traffic except DNS and, by default, containers that run as root."""

    namespace: pulumi.Output[str]
    """Name of the namespace. Objects that use it are created after the namespace and deleted before it."""

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
            spec={
                "pod_selector": {},
                "policy_types": ["Ingress", "Egress"],
                "egress": [dns(args.get("dns_servers", []))],
            },
            opts=pulumi.ResourceOptions(parent=self),
        )
        pull_secret(name, self.namespace, args.get("image_login", ""), self)
        ca_bundle(name, self.namespace, args.get("ca_bundle", ""), self)
        self.register_outputs({"namespace": self.namespace})
