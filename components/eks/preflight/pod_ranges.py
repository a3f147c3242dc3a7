"""Address ranges of the pods, where Amazon's network plugin enforces network policies.

The plugin gives pods addresses of the VPC, also those of secondary ranges (custom networking, pod subnets of Auto
Mode), and writes a policy that selects all pods as a list of all their addresses. Other plugins have addresses of
their own, or, like Cilium, admit no pod by an address range: there nothing is found, and policies select pods.
"""

import json
from typing import TYPE_CHECKING

import yaml
from botocore.exceptions import BotoCoreError, ClientError

from components.eks.preflight.account import Questions, unanswered
from settings.eks.facts import ClusterFacts

if TYPE_CHECKING:
    from mypy_boto3_eks import EKSClient

_PLUGIN = "vpc-cni"


def pod_ranges(ask: Questions, cluster: ClusterFacts | None) -> tuple[list[str], list[str]]:
    """The ranges of the VPC, or none; and the problems of finding them."""
    values = ask.values
    if values.pod_cidrs:
        return [], []
    subnets = values.cluster_subnet_ids
    # The VPC of a cluster that does not exist yet is that of its subnets.
    key, named = ("podCidrs", "[]") if cluster else ("clusterSubnetIds", ", ".join(subnets))
    try:
        if not _enforced_by_amazon(ask, cluster):
            return [], []
        client = ask.session.client("ec2", config=ask.patience)
        vpc_id = cluster.vpc_id if cluster else client.describe_subnets(SubnetIds=list(subnets))["Subnets"][0]["VpcId"]
        (vpc,) = client.describe_vpcs(VpcIds=[vpc_id])["Vpcs"]
    except (ClientError, BotoCoreError) as error:
        return [], [unanswered(key, named, error)]
    return sorted(
        one.get("CidrBlock", "")
        for one in vpc.get("CidrBlockAssociationSet", [])
        if one.get("CidrBlockState", {}).get("State") in ("associated", "associating")
    ), []


def _enforced_by_amazon(ask: Questions, cluster: ClusterFacts | None) -> bool:
    """Whether the plugin is known to enforce. One that others than EKS installed is not known to."""
    if cluster is None:
        return ask.values.cluster == "create"
    if cluster.auto_mode or _PLUGIN not in cluster.addons:
        return cluster.auto_mode
    client: EKSClient = ask.session.client("eks", config=ask.patience)
    addon = client.describe_addon(clusterName=ask.values.cluster_name, addonName=_PLUGIN)["addon"]
    # EKS takes them as JSON and as YAML.
    configuration = yaml.safe_load(addon.get("configurationValues", "")) or {}
    return json.dumps(configuration.get("enableNetworkPolicy", "")).strip('"').lower() == "true"
