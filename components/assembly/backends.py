"""Backends outside the cluster, and the identities that reach them: from AWS, or from the settings alone."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.kubernetes.pod_identity import PodIdentity
from settings.values import Values


@dataclass(frozen=True, kw_only=True)
class Backends:
    """Identities and addresses that are known only once something in the cloud exists."""

    identities: Mapping[str, PodIdentity]
    """By service account."""
    remote_write_url: pulumi.Input[str]
    """Empty for nowhere."""
    opensearch_url: pulumi.Input[str]
    """Empty for none."""


def without_cloud(values: Values) -> Backends:
    """No identities, and the addresses of the settings."""
    return Backends(identities={}, remote_write_url=values.remote_write_url, opensearch_url=values.opensearch_url)
