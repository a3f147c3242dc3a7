"""Creates what a stack has in its OpenSearch: users of programs, and the policies that delete old indices."""

import pulumi

from components.assembly.backends import Backends
from components.logs import log_index
from components.opensearch.job import LoginArgs
from components.opensearch.retention import IndexRetention
from components.opensearch.user import WRITES, OpenSearchUser
from components.traces import jaeger_config
from settings.stack import Settings


def login(settings: Settings, namespace: pulumi.Output[str], backends: Backends) -> LoginArgs:
    """The login that sets OpenSearch up."""
    return {
        "namespace": namespace,
        "url": backends.opensearch_url,
        "username": settings.values.opensearch_username,
        "password": settings.credential("opensearchPassword"),
    }


def traces_user(
    settings: Settings, namespace: pulumi.Output[str], backends: Backends, opts: pulumi.ResourceOptions
) -> OpenSearchUser | None:
    """Jaeger's user; None if Jaeger has the login of the settings (opensearchUsers)."""
    if not settings.values.opensearch_users:
        return None
    return OpenSearchUser(
        "jaeger-user",
        {
            "login": login(settings, namespace, backends),
            "app": "jaeger-user",
            "user": jaeger_config.INDICES,
            "cluster_actions": jaeger_config.CLUSTER_ACTIONS,
            "index_actions": [*WRITES, *jaeger_config.READS],
        },
        opts,
    )


def lines_user(
    settings: Settings, namespace: pulumi.Output[str], backends: Backends, opts: pulumi.ResourceOptions
) -> OpenSearchUser | None:
    """The gateways' user, who cannot read; None if they have the login of the settings (opensearchUsers)."""
    if not settings.values.opensearch_users:
        return None
    return OpenSearchUser(
        "log-index-user",
        {
            "login": login(settings, namespace, backends),
            "app": "log-index-user",
            "user": log_index.NAME,
            "cluster_actions": log_index.CLUSTER_ACTIONS,
            "index_actions": WRITES,
        },
        opts,
    )


def index_retention(
    settings: Settings, namespace: pulumi.Output[str], backends: Backends, opts: pulumi.ResourceOptions
) -> None:
    """The policies that delete old indices in OpenSearch, unless its owners have their own (opensearchPolicies)."""
    values = settings.values
    retentions: dict[str, str] = {}
    if values.jaeger_storage_backend == "opensearch":
        retentions[jaeger_config.INDICES] = values.jaeger_retention
    if values.log_index:
        retentions[log_index.NAME] = values.log_index_retention
    if retentions and values.opensearch_policies:
        IndexRetention(
            "index-retention", {"login": login(settings, namespace, backends), "retentions": retentions}, opts
        )
