"""Preflight checks of the EKS add-ons: who installed them, and which versions EKS offers."""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from components.eks.preflight.account import STACK_TAG, Questions, unanswered
from settings.eks import addons
from settings.eks.addons import Mode
from settings.values import Values

if TYPE_CHECKING:
    from mypy_boto3_eks import EKSClient

# Versions that a message lists: the newest ones.
_SHOWN = 5


def installed(client: "EKSClient", kubernetes: str, ask: Questions) -> tuple[Collection[str], list[str]]:
    """Names of the add-ons that EKS has installed in the cluster, and the problems of those that are managed."""
    values = ask.values
    try:
        pages = client.get_paginator("list_addons").paginate(clusterName=values.cluster_name)
        there = frozenset(name for page in pages for name in page["addons"])
    except (ClientError, BotoCoreError) as error:
        return (), [unanswered("eksAddons", "managed", error)]
    problems = [*_foreign(client, there, ask), *version_problems(client, kubernetes, ask)]
    return there, problems


def version_problems(client: "EKSClient", kubernetes: str, ask: Questions) -> Iterator[str]:
    """Managed add-ons whose version EKS does not offer for this minor version of Kubernetes."""
    values = ask.values
    for name in _managed(values):
        wanted = addons.version(name, values.eks_addons)
        try:
            pages = client.get_paginator("describe_addon_versions").paginate(
                addonName=name, kubernetesVersion=kubernetes
            )
            offered = [
                version.get("addonVersion", "")
                for page in pages
                for addon in page["addons"]
                for version in addon.get("addonVersions", [])
            ]
        except (ClientError, BotoCoreError) as error:
            yield unanswered(f"eksAddons.{name}", wanted, error)
            continue
        if wanted not in offered:
            newest = ", ".join(offered[:_SHOWN]) or "none, so only existing or off"
            yield (
                f'eksAddons.{name}: "{wanted}" is not allowed: EKS in {values.aws_region} does not offer it for '
                f"Kubernetes {kubernetes}; allowed: {newest}"
            )


def _foreign(client: "EKSClient", there: Collection[str], ask: Questions) -> Iterator[str]:
    """Managed add-ons that somebody else installed: the program would overwrite their configuration."""
    for name in _managed(ask.values):
        if name not in there:
            continue
        try:
            tags = client.describe_addon(clusterName=ask.values.cluster_name, addonName=name)["addon"].get("tags", {})
        except (ClientError, BotoCoreError) as error:
            yield unanswered(f"eksAddons.{name}", "managed", error)
            continue
        if tags.get(STACK_TAG) != ask.stack:
            yield (
                f'eksAddons.{name}: "managed" is not allowed: the cluster has this add-on, and stack {ask.stack} did '
                "not install it; allowed: existing, which uses it and changes nothing"
            )


def _managed(values: Values) -> list[str]:
    modes = addons.modes(values.eks_addons, auto_mode=values.eks_auto_mode, create=values.cluster == "create")
    managed: Mode = "managed"
    return [name for name, mode in modes.items() if mode == managed]
