"""Secrets that Grafana reads from files when it starts: the SMTP password and the OpenID Connect client."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict
from urllib.parse import urlsplit

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.core.v1 import VolumeArgsDict

from components.grafana import server_config
from components.kubernetes.labels import labels


class OAuthClient(TypedDict):
    """Grafana's client at an OpenID Connect issuer."""

    issuer: server_config.OAuth
    client_id: str
    client_secret: str
    """Stored only in a Secret."""


@dataclass(frozen=True, kw_only=True)
class SecretFolder:
    """A Secret and the folder in Grafana's container where it is mounted."""

    name: str
    """Suffix of the Secret's name, after the app; also the name of the volume."""
    path: str
    files: Mapping[str, str]


def folders(smtp_password: str, oauth: OAuthClient | None) -> list[SecretFolder]:
    """The folders that Grafana needs with these settings. An empty password needs none."""
    needed: list[SecretFolder] = []
    if smtp_password:
        files = {server_config.PASSWORD: smtp_password}
        needed.append(SecretFolder(name="smtp", path=server_config.SMTP_FOLDER, files=files))
    if oauth:
        files = {server_config.CLIENT_ID: oauth["client_id"], server_config.CLIENT_SECRET: oauth["client_secret"]}
        needed.append(SecretFolder(name="oauth", path=server_config.OAUTH_FOLDER, files=files))
    return needed


def texts(secret_folders: Sequence[SecretFolder]) -> str:
    """The concatenated contents of all files; secret."""
    return "".join(text for folder in secret_folders for text in folder.files.values())


def secret(
    name: str, app: str, folder: SecretFolder, namespace: pulumi.Input[str], opts: pulumi.ResourceOptions
) -> k8s.core.v1.Secret:
    """The Secret of a folder."""
    return k8s.core.v1.Secret(
        f"{name}-{folder.name}",
        metadata={"name": f"{app}-{folder.name}", "namespace": namespace, "labels": labels(app)},
        type="Opaque",
        string_data=pulumi.Output.secret(dict(folder.files)),
        opts=opts,
    )


def volume(app: str, name: str) -> VolumeArgsDict:
    """Volume of the Secret `<app>-<name>`, readable only by its owner and the container's group."""
    return {"name": name, "secret": {"secret_name": f"{app}-{name}", "default_mode": 0o440}}


def issuer_ports(oauth: OAuthClient | None) -> set[int]:
    """Ports of the https endpoints that Grafana itself calls."""
    endpoints = [oauth["issuer"].token_endpoint, oauth["issuer"].user_info_endpoint] if oauth else []
    return {urlsplit(url).port or 443 for url in endpoints}
