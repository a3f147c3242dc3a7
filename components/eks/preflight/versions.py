"""Preflight checks of the cluster's version of Kubernetes against the versions that EKS offers, and until when."""

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from components.eks.preflight.account import unanswered
from components.kubernetes import cluster_check
from settings.values import Values

if TYPE_CHECKING:
    from mypy_boto3_eks import EKSClient
    from mypy_boto3_eks.type_defs import ClusterVersionInformationTypeDef


def of_new_cluster(client: "EKSClient", values: Values) -> Iterator[str]:
    """Problems of clusterVersion for a cluster that does not exist yet. A new one starts in standard support."""
    try:
        offered = _offered(client)
    except (ClientError, BotoCoreError) as error:
        yield unanswered("clusterVersion", values.cluster_version, error)
        return
    standard = [one.get("clusterVersion", "") for one in offered if one.get("versionStatus") == "STANDARD_SUPPORT"]
    if values.cluster_version not in standard:
        fitting = ", ".join(sorted(version for version in standard if supported(version))) or "none"
        yield (
            f"clusterVersion: {json.dumps(values.cluster_version)} is not allowed: EKS in {values.aws_region} does not "
            f"have it in standard support; allowed: {fitting}"
        )
    elif not supported(values.cluster_version):
        yield f"clusterVersion: {json.dumps(values.cluster_version)} is not allowed: this program was not tried with it"


def extended_support(client: "EKSClient", version: str) -> str | None:
    """The warning that a cluster's version is in extended support; None if it is not, or if EKS does not say."""
    try:
        known = [one for one in _offered(client) if one.get("clusterVersion") == version]
    except (ClientError, BotoCoreError):
        return None
    if not known or known[0].get("versionStatus") != "EXTENDED_SUPPORT":
        return None
    end = known[0].get("endOfExtendedSupportDate")
    until = f", until {end:%Y-%m-%d}" if end else ""
    return f"runs Kubernetes {version}, which is in extended support{until}: its control plane costs six times as much"


def update_problem(current: str, wanted: str) -> str | None:
    """Why a cluster cannot be updated from one version to the other; None if it can, or if they are equal."""
    (major, minor), (wanted_major, wanted_minor) = (tuple(map(int, one.split("."))) for one in (current, wanted))
    if (wanted_major, wanted_minor) in ((major, minor), (major, minor + 1)):
        return None
    return (
        f"is not allowed: the cluster runs {current}, and EKS updates by one minor version at a time, never back; "
        f"allowed: {current} or {major}.{minor + 1}"
    )


def supported(version: str) -> bool:
    """Whether the program accepts a version such as 1.34."""
    return cluster_check.supported(*version.partition(".")[::2])


def _offered(client: "EKSClient") -> "Sequence[ClusterVersionInformationTypeDef]":
    pages = client.get_paginator("describe_cluster_versions").paginate()
    return [one for page in pages for one in page["clusterVersions"]]
