"""Preflight checks of the network: the nodes' way to OpenSearch, and the load balancer's subnets."""

import json
from collections.abc import Iterator, Sequence
from ipaddress import ip_network
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from components.eks.preflight.account import Questions, unanswered
from settings.eks.facts import ClusterFacts

_ROLE_TAGS = {"internal": "kubernetes.io/role/internal-elb", "internet-facing": "kubernetes.io/role/elb"}
"""Scheme of a load balancer -> tag by which its controller finds the subnets."""


def network(ask: Questions, cluster: ClusterFacts | None) -> list[str]:
    """Problems of the cluster's network. Without a cluster, only those of the subnets that the settings name."""
    return [*_search_clients(ask, cluster), *_load_balancer(ask, cluster)]


def _search_clients(ask: Questions, cluster: ClusterFacts | None) -> Iterator[str]:
    """Nodes whose security groups the domain does not admit. Pods of Amazon's network plugin have the nodes' groups."""
    values = ask.values
    key = "opensearchClientSecurityGroupIds"
    if not (values.opensearch_domain and cluster) or values.opensearch_client_cidrs:
        return
    admitted = set(values.opensearch_client_security_group_ids or [cluster.security_group_id])
    try:
        groups = _groups_of_nodes(ask)
    except (ClientError, BotoCoreError) as error:
        yield unanswered(key, values.cluster_name, error)
        return
    outside = sorted({group for one in groups if not one & admitted for group in one})
    if outside:
        shown = json.dumps(list(values.opensearch_client_security_group_ids))
        yield (
            f"{key}: {shown} is not allowed: the domain would admit only {', '.join(sorted(admitted))}, and nodes of "
            f"the cluster have other groups; allowed: a group of each node, of: {', '.join(outside)}"
        )


def _groups_of_nodes(ask: Questions) -> set[frozenset[str]]:
    """The sets of security groups that the cluster's nodes have. Managed node groups and Karpenter set the tag."""
    client = ask.session.client("ec2", config=ask.patience)
    tag = f"kubernetes.io/cluster/{ask.values.cluster_name}"
    pages = client.get_paginator("describe_instances").paginate(Filters=[{"Name": "tag-key", "Values": [tag]}])
    return {
        frozenset(group["GroupId"] for group in instance["SecurityGroups"])
        for page in pages
        for reservation in page["Reservations"]
        for instance in reservation["Instances"]
        # A terminated instance has no interface, and so no groups.
        if instance["SecurityGroups"]
    }


def _load_balancer(ask: Questions, cluster: ClusterFacts | None) -> Iterator[str]:
    """Subnets of the load balancer that do not exist, are not found by their tag, or lie outside loadBalancerCidrs."""
    values = ask.values
    if values.ingress in ("none", "controller"):
        return
    named = list(values.load_balancer_subnet_ids)
    key, shown = "loadBalancerSubnetIds", json.dumps(named)
    tag = _ROLE_TAGS[values.ingress]
    if not named and not cluster:
        # The cluster's VPC is not known yet; its own subnets are the only ones that are.
        return
    try:
        subnets = _subnets(ask, named, cluster.vpc_id if cluster else "", tag)
    except (ClientError, BotoCoreError) as error:
        yield unanswered(key, ", ".join(named), error)
        return
    if not subnets:
        yield (
            f"{key}: {shown} is not allowed: no subnet of the cluster's VPC has the tag {tag}, by which the controller "
            "would find the load balancer's subnets; allowed: their ids, or [] once they have the tag"
        )
        return
    if len({subnet["AvailabilityZone"] for subnet in subnets}) < 2:
        found = ", ".join(subnet["SubnetId"] for subnet in subnets)
        yield f"{key}: {shown} is not allowed: {found} is in one zone; allowed: subnets in at least two zones"
    if named and cluster and (foreign := [s["SubnetId"] for s in subnets if s["VpcId"] != cluster.vpc_id]):
        yield f"{key}: {shown} is not allowed: {', '.join(foreign)} is not in the cluster's VPC {cluster.vpc_id}"
    if outside := _outside(subnets, values.load_balancer_cidrs):
        yield (
            f"loadBalancerCidrs: {json.dumps(list(values.load_balancer_cidrs))} is not allowed: the load balancer's "
            f"subnets {', '.join(outside)} lie outside, so no pod would admit it; allowed: ranges that contain them"
        )


def _subnets(ask: Questions, named: Sequence[str], vpc_id: str, tag: str) -> list[dict[str, Any]]:
    """The named subnets; if there are none, those of the VPC with the tag."""
    client = ask.session.client("ec2", config=ask.patience)
    if named:
        return client.describe_subnets(SubnetIds=list(named))["Subnets"]
    filters = [{"Name": "vpc-id", "Values": [vpc_id]}, {"Name": "tag-key", "Values": [tag]}]
    pages = client.get_paginator("describe_subnets").paginate(Filters=filters)
    return [subnet for page in pages for subnet in page["Subnets"]]


def _outside(subnets: Sequence[dict[str, Any]], cidrs: Sequence[str]) -> list[str]:
    """Subnets that no range contains, each with its own range."""
    ranges = [ip_network(cidr) for cidr in cidrs]
    found: list[str] = []
    for subnet in subnets:
        own = ip_network(subnet["CidrBlock"])
        if not any(own.version == wide.version and own.subnet_of(wide) for wide in ranges):  # pyright: ignore[reportArgumentType]
            found.append(f"{subnet['SubnetId']} ({own})")
    return found
