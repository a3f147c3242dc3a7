"""Building blocks of network policies: peers, ports and the policy of an app."""

from collections.abc import Sequence
from typing import NotRequired, TypedDict

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.networking.v1 import (
    NetworkPolicyEgressRuleArgsDict,
    NetworkPolicyIngressRuleArgsDict,
    NetworkPolicyPeerArgsDict,
    NetworkPolicyPortArgsDict,
)

from components.kubernetes.labels import labels, selector

_NAMESPACE_NAME = "kubernetes.io/metadata.name"


def app_in(namespace: str, app: str) -> NetworkPolicyPeerArgsDict:
    """The pods of an app in a namespace."""
    return {
        "namespace_selector": {"match_labels": {_NAMESPACE_NAME: namespace}},
        "pod_selector": {"match_labels": selector(app)},
    }


def app_here(app: str) -> NetworkPolicyPeerArgsDict:
    """The pods of an app in the policy's own namespace."""
    return {"pod_selector": {"match_labels": selector(app)}}


def namespaces_with(label: str) -> NetworkPolicyPeerArgsDict:
    """All pods in namespaces with `label: "true"`."""
    return {"namespace_selector": {"match_labels": {label: "true"}}}


def pods_with(label: str) -> NetworkPolicyPeerArgsDict:
    """Pods with `label: "true"` in any namespace."""
    return {"namespace_selector": {}, "pod_selector": {"match_labels": {label: "true"}}}


def addresses(*cidrs: str) -> list[NetworkPolicyPeerArgsDict]:
    """Address ranges of peers that are not pods."""
    return [{"ip_block": {"cidr": cidr}} for cidr in cidrs]


def any_pod(cidrs: Sequence[str] = ()) -> list[NetworkPolicyPeerArgsDict]:
    """Every pod of the cluster. With `cidrs`, the ranges of their addresses, which also have whatever else is there.

    Amazon's VPC CNI writes a selector as the addresses of all pods it selects, on every node, at every change of a pod.
    """
    return addresses(*cidrs) if cidrs else [{"namespace_selector": {}}]


def tcp(*ports: int) -> list[NetworkPolicyPortArgsDict]:
    """TCP ports."""
    return [{"protocol": "TCP", "port": port} for port in ports]


def udp(*ports: int) -> list[NetworkPolicyPortArgsDict]:
    """UDP ports."""
    return [{"protocol": "UDP", "port": port} for port in ports]


def dns(servers: Sequence[pulumi.Input[str]]) -> NetworkPolicyEgressRuleArgsDict:
    """Permits DNS requests to the cluster's DNS pods, and to the addresses of DNS servers that are no pods (CIDRs)."""
    return {
        "to": [
            {
                "namespace_selector": {"match_labels": {_NAMESPACE_NAME: "kube-system"}},
                "pod_selector": {"match_labels": {"k8s-app": "kube-dns"}},
            },
            # Address of NodeLocal DNSCache, where a cluster runs it.
            {"ip_block": {"cidr": "169.254.20.10/32"}},
            *({"ip_block": {"cidr": server}} for server in servers),
        ],
        "ports": [*udp(53), *tcp(53)],
    }


class AppNetworkArgs(TypedDict):
    """Allowed traffic of an app. The default policy of its namespace denies everything else."""

    app: str
    name: NotRequired[str]
    """Name of the policy; defaults to the app. Needed for a second policy, which adds to the first."""
    namespace: pulumi.Input[str]
    ingress: NotRequired[Sequence[NetworkPolicyIngressRuleArgsDict]]
    egress: NotRequired[Sequence[NetworkPolicyEgressRuleArgsDict]]


def app_network(name: str, args: AppNetworkArgs, opts: pulumi.ResourceOptions) -> k8s.networking.v1.NetworkPolicy:
    """The network policy of an app."""
    return k8s.networking.v1.NetworkPolicy(
        name,
        metadata={
            "name": args.get("name", args["app"]),
            "namespace": args["namespace"],
            "labels": labels(args["app"]),
        },
        spec={
            "pod_selector": {"match_labels": selector(args["app"])},
            "policy_types": ["Ingress", "Egress"],
            "ingress": list(args.get("ingress", [])),
            "egress": list(args.get("egress", [])),
        },
        opts=opts,
    )
