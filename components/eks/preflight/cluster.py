"""What preflight asks AWS about the cluster, its add-ons and its logs; problems are lines that start with a key."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from components.eks import addons
from components.eks.policies import ClusterIdentity
from components.eks.preflight.account import STACK_TAG, Questions, unanswered
from components.kubernetes import cluster_check
from settings import versions
from settings.eks import addons as eks_addons
from settings.eks.facts import ClusterFacts
from settings.values import Values

if TYPE_CHECKING:
    from mypy_boto3_eks import EKSClient
    from mypy_boto3_eks.type_defs import ClusterTypeDef


def cluster(ask: Questions) -> tuple[ClusterFacts | None, list[str]]:
    """The cluster, None where it is still to be made or unusable; and its problems, those of its add-ons, too."""
    values = ask.values
    client = ask.session.client("eks", config=ask.patience)
    try:
        found = client.describe_cluster(name=values.cluster_name)["cluster"]
    except client.exceptions.ResourceNotFoundException:
        return None, list(_log_problems(ask)) if values.cluster == "create" else [_no_cluster(client, values)]
    except (ClientError, BotoCoreError) as error:
        return None, [unanswered("clusterName", values.cluster_name, error)]
    problems = list(_cluster_problems(found, ask))
    if problems:
        return None, problems
    network = found.get("resourcesVpcConfig", {})
    roles, problems = _volume_roles(client, found, values)
    return ClusterFacts(
        arn=found.get("arn", ""),
        endpoint=found.get("endpoint", ""),
        certificate_authority=found.get("certificateAuthority", {}).get("data", ""),
        version=found.get("version", ""),
        security_group_id=network.get("clusterSecurityGroupId", ""),
        vpc_id=network.get("vpcId", ""),
        auto_mode=_auto_mode(found),
        volume_role_arns=roles,
    ), [*problems, *_addon_problems(client, ask)]


def _no_cluster(client: "EKSClient", values: Values) -> str:
    try:
        there = ", ".join(sorted(client.list_clusters()["clusters"])) or "none"
    except (ClientError, BotoCoreError):
        there = "not known"
    return (
        f"clusterName: {json.dumps(values.cluster_name)} is no EKS cluster in {values.aws_region} of account "
        f"{values.aws_account_id}; there are: {there}; `cluster: create` makes it"
    )


def _cluster_problems(found: "ClusterTypeDef", ask: Questions) -> Iterator[str]:
    values, shown = ask.values, f"clusterName: {json.dumps(ask.values.cluster_name)}"
    status, version = found.get("status", ""), found.get("version", "")
    if values.cluster == "create" and found.get("tags", {}).get(STACK_TAG) != ask.stack:
        yield f'cluster: "create" is not allowed: {values.cluster_name} exists, and is not of stack {ask.stack}'
    if status != "ACTIVE":
        yield f"{shown} is {status}; allowed: a cluster that is ACTIVE"
    if not cluster_check.supported(*version.partition(".")[::2]):
        low, below = (".".join(map(str, bound)) for bound in (versions.KUBERNETES_MIN, versions.KUBERNETES_BELOW))
        yield f"{shown} runs Kubernetes {version}; allowed: {low} <= version < {below}"
    if _auto_mode(found) != values.eks_auto_mode:
        is_so = "in Auto Mode" if _auto_mode(found) else "not in Auto Mode"
        yield f"eksAutoMode: {json.dumps(values.eks_auto_mode)} is not allowed: {values.cluster_name} is {is_so}"


def _auto_mode(found: "ClusterTypeDef") -> bool:
    return found.get("computeConfig", {}).get("enabled", False)


def _addon_problems(client: "EKSClient", ask: Questions) -> Iterator[str]:
    """Add-ons to install that somebody else has installed; to take one over would throw their configuration away."""
    values = ask.values
    modes = eks_addons.modes(values.eks_addons, auto_mode=values.eks_auto_mode)
    for name in (addon for addon, mode in modes.items() if mode == "managed"):
        try:
            tags = client.describe_addon(clusterName=values.cluster_name, addonName=name)["addon"].get("tags", {})
        except client.exceptions.ResourceNotFoundException:
            continue
        except (ClientError, BotoCoreError) as error:
            yield unanswered(f"eksAddons.{name}", "managed", error)
            continue
        if tags.get(STACK_TAG) != ask.stack:
            delete = f"aws eks delete-addon --cluster-name {values.cluster_name} --addon-name {name}"
            yield (
                f'eksAddons.{name}: "managed" is not allowed: it is installed already, and not by stack {ask.stack}; '
                f"allowed: existing, or managed after: {delete}"
            )


def _volume_roles(client: "EKSClient", found: "ClusterTypeDef", values: Values) -> tuple[list[str], list[str]]:
    """ARNs of the roles, not the program's, that make the volumes; and the problems of asking for them.

    That is the cluster's own in Auto Mode, else an existing driver's: by Pod Identity, or as its add-on has it. What a
    driver has only by the annotation of its service account, or from its node, EKS does not know.
    """
    if values.cluster == "create":
        return [], []
    if values.eks_auto_mode:
        return [found.get("roleArn", "")], []
    if eks_addons.modes(values.eks_addons, auto_mode=False)[eks_addons.EBS_CSI_DRIVER] != "existing":
        return [], []
    try:
        return _driver_roles(client, values.cluster_name), []
    except (ClientError, BotoCoreError) as error:
        return [], [unanswered(f"eksAddons.{eks_addons.EBS_CSI_DRIVER}", "existing", error)]


def _driver_roles(client: "EKSClient", cluster_name: str) -> list[str]:
    listed = client.list_pod_identity_associations(
        clusterName=cluster_name, namespace=addons.DRIVER_NAMESPACE, serviceAccount=addons.DRIVER_ACCOUNT
    )
    found = [
        client.describe_pod_identity_association(clusterName=cluster_name, associationId=one.get("associationId", ""))[
            "association"
        ].get("roleArn", "")
        for one in listed["associations"]
    ]
    try:
        addon = client.describe_addon(clusterName=cluster_name, addonName=eks_addons.EBS_CSI_DRIVER)["addon"]
    except client.exceptions.ResourceNotFoundException:
        return sorted(found)
    return sorted({*found, addon.get("serviceAccountRoleArn", "")} - {""})


def _log_problems(ask: Questions) -> Iterator[str]:
    """The log group of an earlier cluster of this name, which EKS leaves when a cluster goes."""
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
            f"clusterName: {json.dumps(values.cluster_name)} is not allowed: {name} holds the logs of an earlier "
            f"cluster; allowed: another name, or this one once those logs are deleted: {delete}"
        )
