"""EKS Pod Identity, as workloads see it: what they wait for, and the way to their credentials."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.networking.v1 import NetworkPolicyEgressRuleArgsDict

from components.kubernetes import network_policies

_ADDRESSES = ("169.254.170.23/32", "fd00:ec2::23/128")
"""Of the agent on every node; the second in clusters of IPv6."""


@dataclass(frozen=True, kw_only=True)
class PodIdentity:
    """A workload's role in AWS. Pods that are admitted before it is known never get it."""

    ready: pulumi.Resource
    """What the workload must depend on."""
    annotations: Mapping[str, pulumi.Input[str]]
    """Of its pods; they change with the association, so that it restarts them."""


def egress() -> NetworkPolicyEgressRuleArgsDict:
    """The way to the credentials."""
    return {"to": [{"ip_block": {"cidr": address}} for address in _ADDRESSES], "ports": network_policies.tcp(80)}
