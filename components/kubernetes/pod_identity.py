"""EKS Pod Identity for workloads: the resource to wait for, and network access to the credentials."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict
from pulumi_kubernetes.networking.v1 import NetworkPolicyEgressRuleArgsDict

from components.kubernetes import network_policies
from components.kubernetes.labels import labels

_ADDRESSES = ("169.254.170.23/32", "fd00:ec2::23/128")
"""Addresses of the agent on every node, in clusters of IPv4 and of IPv6."""


@dataclass(frozen=True, kw_only=True)
class PodIdentity:
    """A workload's role in AWS. Pods that are admitted before EKS knows the association never get credentials."""

    ready: pulumi.Resource
    """The resource that the workload must depend on."""
    annotations: Mapping[str, pulumi.Input[str]]
    """Annotations of its pods. They change with the association, and so restart the pods."""
    account: Mapping[str, pulumi.Input[str]] = field(default_factory=dict[str, pulumi.Input[str]])
    """Annotations of its service account; none with an association."""


def service_account(
    name: str,
    app: str,
    namespace: pulumi.Input[str],
    annotations: Mapping[str, pulumi.Input[str]],
    child: pulumi.ResourceOptions,
) -> k8s.core.v1.ServiceAccount:
    """A service account that has an identity in AWS, and no rights in Kubernetes."""
    metadata: ObjectMetaArgsDict = {"name": app, "namespace": namespace, "labels": labels(app)}
    if annotations:
        metadata["annotations"] = {**annotations}
    return k8s.core.v1.ServiceAccount(name, metadata=metadata, automount_service_account_token=False, opts=child)


def egress() -> NetworkPolicyEgressRuleArgsDict:
    """Access to the agent that serves the credentials."""
    return {"to": [{"ip_block": {"cidr": address}} for address in _ADDRESSES], "ports": network_policies.tcp(80)}
