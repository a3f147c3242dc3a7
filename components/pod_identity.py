"""EKS Pod Identity: who may ask a node for the credentials of its pod's role."""

from pulumi_kubernetes.networking.v1 import NetworkPolicyEgressRuleArgsDict

from components import network_policies

_ADDRESSES = ("169.254.170.23/32", "fd00:ec2::23/128")
"""Of the agent on every node; the second in clusters of IPv6."""


def egress() -> NetworkPolicyEgressRuleArgsDict:
    """The way to the credentials."""
    return {"to": [{"ip_block": {"cidr": address}} for address in _ADDRESSES], "ports": network_policies.tcp(80)}
