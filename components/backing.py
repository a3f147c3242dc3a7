"""What the cloud gives to the platform's programs; without one, what the settings say."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.pod_identity import PodIdentity
from components.setting_values import Values


@dataclass(frozen=True, kw_only=True)
class Backing:
    """Identities and addresses that are known only once something in the cloud exists."""

    identities: Mapping[str, PodIdentity]
    """By service account."""
    remote_write_url: pulumi.Input[str]
    """Empty for nowhere."""
    opensearch_url: pulumi.Input[str]
    """Empty for none."""


def without_cloud(values: Values) -> Backing:
    """No identities, and the addresses of the settings."""
    return Backing(identities={}, remote_write_url=values.remote_write_url, opensearch_url=values.opensearch_url)
