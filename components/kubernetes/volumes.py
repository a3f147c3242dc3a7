"""Compares the claims of running replicas with the settings of their sizes, before the first resource.

A stateful set makes each claim once, and never grows it. Its replicas keep running while somebody grows the claims.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kubernetes import client

from settings.quantities import quantity_bytes


@dataclass(frozen=True, kw_only=True)
class Volumes:
    """The volumes of a stateful app."""

    app: str
    replicas: int
    size: str
    """Size of each volume in the settings, such as 50Gi."""


def too_small(namespace: str, volumes: Mapping[str, Volumes], api: client.ApiClient, timeout: float) -> str | None:
    """The settings that are larger than an existing claim, with the commands that grow it; None if there are none.

    `volumes` maps the name of a setting to its volumes. A claim that is larger than its setting is accepted, because
    no claim shrinks.
    """
    answer = client.CoreV1Api(api).list_namespaced_persistent_volume_claim(namespace, _request_timeout=timeout)
    sizes = {
        str(claim.metadata.name): str((claim.spec.resources.requests or {})["storage"])
        for claim in answer.items
        if claim.metadata and claim.spec and claim.spec.resources
    }
    return "\n  ".join(_problems(namespace, volumes, sizes)) or None


def _problems(namespace: str, volumes: Mapping[str, Volumes], sizes: Mapping[str, str]) -> Iterator[str]:
    for key, wanted in volumes.items():
        for claim, size in sorted(sizes.items()):
            match = re.fullmatch(rf"data-{re.escape(wanted.app)}-(\d+)", claim)
            if match and int(match[1]) < wanted.replicas and quantity_bytes(size) < quantity_bytes(wanted.size):
                patch = json.dumps({"spec": {"resources": {"requests": {"storage": wanted.size}}}})
                yield (
                    f'{key}: "{wanted.size}" is more than the claim {claim} has ({size}); allowed: a size that all '
                    f"claims have; grow this one while its pod runs: "
                    f"kubectl -n {namespace} patch pvc {claim} --type merge -p '{patch}'"
                )
