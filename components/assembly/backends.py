"""Backends outside the cluster, and the identities that access them, from AWS or from the settings alone."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.kubernetes.pod_identity import PodIdentity
from settings.values import Values


@dataclass(frozen=True, kw_only=True)
class Backends:
    """Identities and addresses. On AWS they become known only when the cloud resources exist."""

    identities: Mapping[str, PodIdentity]
    """Service account -> its identity."""
    remote_write_url: pulumi.Input[str]
    """Empty if samples are not copied anywhere."""
    workspace_region: str = ""
    """Region of the workspace on AWS that the URL names; empty if it is another server's."""
    opensearch_url: pulumi.Input[str]
    """Empty if there is no OpenSearch."""


def without_cloud(values: Values) -> Backends:
    """No identities, and the addresses in the settings."""
    return Backends(identities={}, remote_write_url=values.remote_write_url, opensearch_url=values.opensearch_url)
