"""From where nodes pull images. The values of the keys imageRegistry and imageRegistryUsername."""

import base64
import json
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

from settings import versions
from settings.types import PORT

ALL = "all"
"""Name under which a registry holds the images of every registry that has no replacement of its own."""
REGISTRIES = ("docker.io", "quay.io", "registry.k8s.io")
"""Registries of the images in settings/versions.py."""
ALLOWED = (
    f"an object: {ALL}, {', '.join(REGISTRIES[:-1])} or {REGISTRIES[-1]} -> host, host:port, or either with a folder "
    "such as registry.example.com/mirror, without https:// and without / at the end"
)
OF_THIS_VERSION = (
    versions.PROMETHEUS_IMAGE,
    versions.ALERTMANAGER_IMAGE,
    versions.LOKI_IMAGE,
    versions.JAEGER_IMAGE,
    versions.OTEL_COLLECTOR_IMAGE,
    versions.KUBE_STATE_METRICS_IMAGE,
    versions.NODE_EXPORTER_IMAGE,
    versions.GRAFANA_IMAGE,
    versions.PYTHON_IMAGE,
)
"""The images of others that this version runs."""
DIGESTS_ALLOWED = f"an object: {' or '.join(OF_THIS_VERSION)} -> sha256: and 64 digits of 0-9 and a-f"
USER_ALLOWED = (
    "a user name without blanks and colons; only when imageRegistry is set, with all of its registries on one host"
)


def _known(registries: dict[str, str]) -> dict[str, str]:
    if unknown := registries.keys() - {ALL, *REGISTRIES}:
        raise ValueError(str(unknown))
    return registries


_PLACE = rf"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:{PORT})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$"
_Place = Annotated[str, Field(pattern=_PLACE)]
ImageRegistry = Annotated[dict[str, _Place], AfterValidator(_known)]
UserName = Annotated[str, Field(pattern=r"^[^\s:]*$")]


def _of_this_version(digests: dict[str, str]) -> dict[str, str]:
    # A digest of another version would keep nodes at that version.
    if unknown := digests.keys() - set(OF_THIS_VERSION):
        raise ValueError(str(unknown))
    return digests


ImageDigests = Annotated[
    dict[str, Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]], AfterValidator(_of_this_version)
]


def full_name(reference: str) -> str:
    """The reference with its registry, which is docker.io for a name without one, as Kubernetes reads it."""
    host, _, path = reference.partition("/")
    if path and (host == "localhost" or "." in host or ":" in host):
        return reference
    return f"docker.io/{reference if path else f'library/{reference}'}"


def pulled(reference: str, registries: Mapping[str, str], digests: Mapping[str, str] | None = None) -> str:
    """The reference by which nodes pull an image, when `registries` maps registries to those that replace them.

    An image in `digests` is pulled by its digest, which no registry can change, instead of its tag.

    `all` replaces no registry: the image is below it under its full name. An image of a registry that is not in
    REGISTRIES keeps its name, because the stack itself has chosen it.
    """
    if digest := (digests or {}).get(reference):
        reference = f"{reference.rpartition(':')[0]}@{digest}"
    registry, _, path = full_name(reference).partition("/")
    if registry in registries:
        return f"{registries[registry]}/{path}"
    return f"{registries[ALL]}/{registry}/{path}" if ALL in registries and registry in REGISTRIES else reference


def hosts(registries: Mapping[str, str]) -> set[str]:
    """The hosts, with their ports, from which nodes pull instead."""
    return {place.partition("/")[0] for place in registries.values()}


def login(registries: Mapping[str, str], user: str, password: str) -> str:
    """Docker's config.json with the login at each host of `registries`."""
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    return json.dumps({"auths": {host: {"auth": token} for host in sorted(hosts(registries))}})
