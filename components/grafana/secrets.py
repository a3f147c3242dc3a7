"""Secrets that Grafana reads as files at its start: its password for mail, and its client where people log in."""

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
    """One Grafana's client at an OpenID Connect issuer."""

    issuer: server_config.OAuth
    client_id: str
    client_secret: str
    """Kept in a Secret only."""


@dataclass(frozen=True, kw_only=True)
class SecretFolder:
    """A Secret and where its files are in Grafana's container."""

    name: str
    """What comes after the app's name in the Secret's; also the volume's name."""
    path: str
    files: Mapping[str, str]


def folders(smtp_password: str, oauth: OAuthClient | None) -> list[SecretFolder]:
    """The folders that a Grafana with these settings needs; an empty password is none."""
    found: list[SecretFolder] = []
    if smtp_password:
        files = {server_config.PASSWORD: smtp_password}
        found.append(SecretFolder(name="smtp", path=server_config.SMTP_FOLDER, files=files))
    if oauth:
        files = {server_config.CLIENT_ID: oauth["client_id"], server_config.CLIENT_SECRET: oauth["client_secret"]}
        found.append(SecretFolder(name="oauth", path=server_config.OAUTH_FOLDER, files=files))
    return found


def texts(secret_folders: Sequence[SecretFolder]) -> str:
    """All that stands in the files; secret."""
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
    """Volume of the Secret `<app>-<name>`, readable by the container's group alone."""
    return {"name": name, "secret": {"secret_name": f"{app}-{name}", "default_mode": 0o440}}


def issuer_ports(oauth: OAuthClient | None) -> set[int]:
    """Ports of the endpoints that Grafana itself asks, which are https."""
    asked = [oauth["issuer"].token_endpoint, oauth["issuer"].user_info_endpoint] if oauth else []
    return {urlsplit(url).port or 443 for url in asked}
