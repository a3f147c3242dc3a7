"""Preflight checks of the cluster, its add-ons and its logs. Each problem is a line that starts with a key."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pulumi
from botocore.exceptions import BotoCoreError, ClientError

from components.eks import addons
from components.eks.policies import ClusterIdentity
from components.eks.preflight import addons as preflight_addons
from components.eks.preflight import versions as preflight_versions
from components.eks.preflight.account import STACK_TAG, Questions, unanswered
from components.kubernetes import cluster_check
from settings import versions
from settings.eks import addons as eks_addons
from settings.eks.facts import ClusterFacts
from settings.values import Values

if TYPE_CHECKING:
    from mypy_boto3_eks import EKSClient
    from mypy_boto3_eks.type_defs import ClusterTypeDef


_NO_VOLUME_ROLE = (
    "volumeRoleArns: [] is not allowed: EKS knows no role of the existing EBS CSI driver, so the program's key would "
    "permit nobody to create volumes; allowed: the role in the annotation eks.amazonaws.com/role-arn of the service "
    f"account {addons.DRIVER_NAMESPACE}/{addons.DRIVER_ACCOUNT}, or, without annotation, the role of the nodes; or "
    "kmsKeyArn, with a key that permits it"
)


def cluster(ask: Questions) -> tuple[ClusterFacts | None, list[str]]:
    """The cluster, or None if it does not exist yet or is unusable. Also returns its problems and its add-ons'."""
    values = ask.values
    client = ask.session.client("eks", config=ask.patience)
    try:
        described = client.describe_cluster(name=values.cluster_name)["cluster"]
    except client.exceptions.ResourceNotFoundException:
        if values.cluster != "create":
            return None, [_no_cluster(client, values)]
        addon_problems = preflight_addons.version_problems(client, values.cluster_version, ask)
        return None, [*_log_problems(ask), *preflight_versions.of_new_cluster(client, values), *addon_problems]
    except (ClientError, BotoCoreError) as error:
        return None, [unanswered("clusterName", values.cluster_name, error)]
    problems = list(_cluster_problems(described, ask))
    if problems:
        return None, problems
    if warning := preflight_versions.extended_support(client, described.get("version", "")):
        pulumi.log.warn(f"clusterName: {json.dumps(values.cluster_name)} {warning}")
    network = described.get("resourcesVpcConfig", {})
    roles, problems = _volume_roles(client, described, values)
    addons_there, addon_problems = preflight_addons.installed(client, described.get("version", ""), ask)
    services = described.get("kubernetesNetworkConfig", {})
    return ClusterFacts(
        arn=described.get("arn", ""),
        endpoint=described.get("endpoint", ""),
        certificate_authority=described.get("certificateAuthority", {}).get("data", ""),
        version=described.get("version", ""),
        security_group_id=network.get("clusterSecurityGroupId", ""),
        vpc_id=network.get("vpcId", ""),
        # IPv6 clusters have no IPv4 range.
        service_cidr=services.get("serviceIpv4Cidr") or services.get("serviceIpv6Cidr", ""),
        addons=addons_there,
        auto_mode=_auto_mode(described),
        volume_role_arns=roles,
    ), [*problems, *addon_problems]


def _no_cluster(client: "EKSClient", values: Values) -> str:
    try:
        existing = ", ".join(sorted(client.list_clusters()["clusters"])) or "none"
    except (ClientError, BotoCoreError):
        existing = "not known"
    return (
        f"clusterName: {json.dumps(values.cluster_name)} is not an EKS cluster in {values.aws_region} of account "
        f"{values.aws_account_id}; there are: {existing}; `cluster: create` creates it"
    )


def _cluster_problems(described: "ClusterTypeDef", ask: Questions) -> Iterator[str]:
    values, shown = ask.values, f"clusterName: {json.dumps(ask.values.cluster_name)}"
    status, version = described.get("status", ""), described.get("version", "")
    if values.cluster == "create" and described.get("tags", {}).get(STACK_TAG) != ask.stack:
        yield f'cluster: "create" is not allowed: {values.cluster_name} exists and does not belong to stack {ask.stack}'
    if status != "ACTIVE":
        yield f"{shown} is {status}; allowed: a cluster that is ACTIVE"
    if not cluster_check.supported(*version.partition(".")[::2]):
        low, below = (".".join(map(str, bound)) for bound in (versions.KUBERNETES_MIN, versions.KUBERNETES_BELOW))
        yield f"{shown} runs Kubernetes {version}; allowed: {low} <= version < {below}"
    elif values.cluster == "create" and (problem := preflight_versions.update_problem(version, values.cluster_version)):
        yield f"clusterVersion: {json.dumps(values.cluster_version)} {problem}"
    if (family := described.get("kubernetesNetworkConfig", {}).get("ipFamily", "ipv4")) != "ipv4":
        yield (
            f"{shown} has the ipFamily {family}; allowed: a cluster with ipv4, because nobody has tried the platform's "
            "own connections, such as those between Loki's replicas, with addresses of IPv6"
        )
    if _auto_mode(described) != values.eks_auto_mode:
        actual = "in Auto Mode" if _auto_mode(described) else "not in Auto Mode"
        yield f"eksAutoMode: {json.dumps(values.eks_auto_mode)} is not allowed: {values.cluster_name} is {actual}"


def _auto_mode(described: "ClusterTypeDef") -> bool:
    return described.get("computeConfig", {}).get("enabled", False)


def _volume_roles(client: "EKSClient", described: "ClusterTypeDef", values: Values) -> tuple[list[str], list[str]]:
    """ARNs of the roles outside this program that create volumes. Also returns the problems of finding them.

    In Auto Mode it is the cluster's own role. Otherwise it is an existing driver's role, from Pod Identity or its
    add-on. EKS does not know roles that a driver has only from its service account's annotation or its node.
    """
    if values.cluster == "create":
        return [], []
    if values.eks_auto_mode:
        return [described.get("roleArn", "")], []
    own_key_or_class = values.kms_key_arn or values.storage_class
    driver = eks_addons.modes(values.eks_addons, auto_mode=False, create=False)[eks_addons.EBS_CSI_DRIVER]
    if driver != "existing" or own_key_or_class:
        return [], []
    try:
        roles = _driver_roles(client, values.cluster_name)
    except (ClientError, BotoCoreError) as error:
        return [], [unanswered(f"eksAddons.{eks_addons.EBS_CSI_DRIVER}", "existing", error)]
    return roles, [] if roles or values.volume_role_arns else [_NO_VOLUME_ROLE]


def _driver_roles(client: "EKSClient", cluster_name: str) -> list[str]:
    listed = client.list_pod_identity_associations(
        clusterName=cluster_name, namespace=addons.DRIVER_NAMESPACE, serviceAccount=addons.DRIVER_ACCOUNT
    )
    role_arns = [
        client.describe_pod_identity_association(
            clusterName=cluster_name, associationId=association.get("associationId", "")
        )["association"].get("roleArn", "")
        for association in listed["associations"]
    ]
    try:
        addon = client.describe_addon(clusterName=cluster_name, addonName=eks_addons.EBS_CSI_DRIVER)["addon"]
    except client.exceptions.ResourceNotFoundException:
        return sorted(role_arns)
    return sorted({*role_arns, addon.get("serviceAccountRoleArn", "")} - {""})


def _log_problems(ask: Questions) -> Iterator[str]:
    """Reports the log group of an earlier cluster of this name, which EKS keeps when the cluster is deleted."""
    values = ask.values
    name = ClusterIdentity(values.cluster_name, values.aws_region, values.aws_account_id).log_group
    client = ask.session.client("logs", config=ask.patience)
    try:
        groups = client.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        arn = next((group["arn"].removesuffix(":*") for group in groups if group["logGroupName"] == name), None)
        tags = client.list_tags_for_resource(resourceArn=arn)["tags"] if arn else {STACK_TAG: ask.stack}
    except (ClientError, BotoCoreError) as error:
        yield unanswered("clusterName", name, error)
        return
    if tags.get(STACK_TAG) != ask.stack:
        delete = f"aws logs delete-log-group --log-group-name {name}"
        yield (
            f"clusterName: {json.dumps(values.cluster_name)} is not allowed: {name} contains the logs of an earlier "
            f"cluster; allowed: another name, or this one once those logs are deleted: {delete}"
        )
