"""The platform's data stores in AWS: key, buckets, metrics workspace and search domain, either created or existing."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.eks.encryption import EncryptionKey
from components.eks.log_buckets import LogBuckets
from components.eks.policies import ClusterIdentity
from components.eks.search_domain import SearchDomain, log_groups
from components.eks.workspace.metrics_workspace import MetricsWorkspace, MetricsWorkspaceArgs
from settings.eks import conflicts
from settings.stack import Settings
from settings.values import Values


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """A workspace of Amazon Managed Prometheus."""

    id: pulumi.Input[str]
    arn: pulumi.Input[str]
    region: str


@dataclass(frozen=True, kw_only=True)
class Stores:
    """The data stores of a stack. Stores that are not created here come from the settings."""

    key_arn: pulumi.Input[str]
    loki_buckets: Mapping[str, pulumi.Input[str]]
    """Name -> ARN; empty with another S3 server, or with a volume."""
    loki_key_arn: pulumi.Input[str] | None
    """KMS key of the buckets; None if they use S3's own key."""
    remote_write_url: pulumi.Input[str]
    """Empty if samples are not copied anywhere."""
    workspace: Workspace | None
    """Workspace of the remote write URL; None if it is not on AWS."""
    opensearch_url: pulumi.Input[str]
    """Empty if there is no OpenSearch."""
    search_domain: str | None
    """Name of the search domain; None if it is not created here."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """The cluster's network."""

    vpc_id: pulumi.Input[str]
    security_group_id: pulumi.Input[str]
    """The group that EKS makes for the cluster."""


def key(settings: Settings, cluster: ClusterIdentity, opts: pulumi.ResourceOptions) -> pulumi.Input[str]:
    """ARN of the KMS key of all stored data. Creates the key unless the settings name one."""
    values, facts = settings.values, settings.facts
    if values.kms_key_arn:
        return values.kms_key_arn
    known = facts.cluster if facts else None
    return EncryptionKey(
        "key",
        {
            "identity": cluster,
            "volume_role_arns": sorted({*values.volume_role_arns, *(known.volume_role_arns if known else ())}),
            "cluster_admin_role_arns": values.cluster_admin_role_arns,
            "log_groups": [
                *([cluster.log_group] if values.cluster_admin_role_arns else []),
                *(log_groups(cluster).values() if values.opensearch_domain else []),
            ],
            "protect": values.protect,
        },
        opts,
    ).arn


def stores(
    settings: Settings,
    cluster: ClusterIdentity,
    key_arn: pulumi.Input[str],
    network: Network,
    opts: pulumi.ResourceOptions,
) -> Stores:
    """Creates the stores of a stack. `opts` contains the aws provider."""
    values = settings.values
    workspace, remote_write_url = _workspace(values, cluster, key_arn, opts)
    domain = _search_domain(settings, cluster, key_arn, network, opts) if values.opensearch_domain else None
    return Stores(
        key_arn=key_arn,
        loki_buckets=_buckets(values, cluster, key_arn, opts),
        loki_key_arn=key_arn
        if conflicts.makes_loki_bucket(values)
        else values.loki_bucket_key_arn or values.kms_key_arn or None,
        remote_write_url=remote_write_url,
        workspace=workspace,
        opensearch_url=domain.url if domain else values.opensearch_url,
        search_domain=domain.name if domain else None,
    )


def _buckets(
    values: Values, cluster: ClusterIdentity, key_arn: pulumi.Input[str], opts: pulumi.ResourceOptions
) -> Mapping[str, pulumi.Input[str]]:
    if not conflicts.logs_in_aws(values):
        return {}
    if not conflicts.makes_loki_bucket(values):
        return {values.loki_bucket: f"arn:{cluster.partition}:s3:::{values.loki_bucket}"}
    created = LogBuckets(
        "log-buckets",
        {
            "chunks": values.loki_bucket,
            "ruler": values.loki_ruler_bucket,
            "key_arn": key_arn,
            "protect": values.protect,
        },
        opts,
    )
    return created.arns


def _workspace(
    values: Values, cluster: ClusterIdentity, key_arn: pulumi.Input[str], opts: pulumi.ResourceOptions
) -> tuple[Workspace | None, pulumi.Input[str]]:
    """The workspace, if any, and the remote write URL."""
    if values.managed_prometheus:
        args: MetricsWorkspaceArgs = {
            "identity": cluster,
            "key_arn": key_arn,
            "retention_days": int(values.managed_prometheus_retention.rstrip("d")),
            "protect": values.protect,
        }
        created = MetricsWorkspace("metrics", args, opts)
        return Workspace(id=created.id, arn=created.arn, region=cluster.region), created.remote_write_url
    existing = conflicts.workspace(values.remote_write_url)
    if not existing:
        return None, values.remote_write_url
    role = values.remote_write_role_arn
    account = role.split(":")[4] if role else cluster.account_id
    arn = f"arn:{cluster.partition}:aps:{existing.region}:{account}:workspace/{existing.id}"
    return Workspace(id=existing.id, arn=arn, region=existing.region), values.remote_write_url


def _search_domain(
    settings: Settings,
    cluster: ClusterIdentity,
    key_arn: pulumi.Input[str],
    network: Network,
    opts: pulumi.ResourceOptions,
) -> SearchDomain:
    values = settings.values
    return SearchDomain(
        "search",
        {
            "identity": cluster,
            "key_arn": key_arn,
            "vpc_id": network.vpc_id,
            "subnet_ids": values.cluster_subnet_ids,
            "client_security_group_ids": _search_clients(values, network),
            "client_cidrs": values.opensearch_client_cidrs,
            "instance_type": values.opensearch_instance_type,
            "instances": values.opensearch_instances,
            "master_type": values.opensearch_master_type,
            "storage": values.opensearch_storage,
            "username": values.opensearch_username,
            "password": settings.credential("opensearchPassword"),
            "protect": values.protect,
        },
        opts,
    )


def _search_clients(values: Values, network: Network) -> Mapping[str, pulumi.Input[str]]:
    """The groups of the settings. Without any, that of the cluster, of which nodes are members unless their launch
    template or node class names groups of its own; preflight compares them.
    """
    if values.opensearch_client_security_group_ids or values.opensearch_client_cidrs:
        return {group: group for group in values.opensearch_client_security_group_ids}
    return {"cluster": network.security_group_id}
