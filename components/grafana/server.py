"""Grafana: dashboards and Explore over metrics, logs and traces. One server with its database on a volume.

There is one replica, because several need a shared database. There is no disruption budget, because with one replica
it would block every node drain. Dashboards, data sources and channels are resources of the program, so a lost volume
loses accounts and preferences, but no content: the next `up` after a refresh creates the content again.
"""

import base64
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.core.v1 import ContainerArgsDict, PersistentVolumeClaimSpecArgsDict, PodSpecArgsDict

from components.grafana import secrets as grafana_secrets
from components.grafana import server_config
from components.grafana.secrets import SecretFolder
from components.kubernetes import network_policies, pods
from components.kubernetes.checksum import ANNOTATION, checksum
from components.kubernetes.labels import ACCESS, RECEIVER, labels, scrape, selector
from settings import sizes, versions
from settings.apps import GRAFANA

APP = GRAFANA.name
PORT = GRAFANA.port
_CONFIG = "/etc/grafana/grafana.ini"


class GrafanaArgs(TypedDict):
    """Arguments of Grafana."""

    namespace: pulumi.Input[str]
    """An existing namespace."""
    storage: str
    """Size of the volume for the database."""
    storage_class: str | None
    """None for the cluster's default."""
    memory: str
    """Memory request and limit."""
    external_url: str
    """URL at which people open Grafana, without a path."""
    protect: bool
    """Whether Pulumi refuses to delete password and volume. They belong together, because Grafana sets the password
    only in an empty database."""
    prometheus: str
    """App in the same namespace that scrapes Grafana."""
    backends: Mapping[str, int]
    """App in the same namespace that Grafana queries -> port."""
    smtp: server_config.Smtp | None
    """None if Grafana sends no mail."""
    smtp_password: str
    """Secret; empty if the SMTP server needs no login."""
    smtp_port: int | None
    """Port of an SMTP server outside the cluster; None if it is inside."""
    oauth: NotRequired[grafana_secrets.OAuthClient | None]
    """Client for people's logins. None, or absent, if only the administrator logs in, with a password."""


@dataclass(frozen=True, kw_only=True)
class GrafanaServer:
    """The resources of this stack's server that its content depends on."""

    workload: pulumi.Resource
    """Serves the API once it exists. Content is created after it and deleted before it."""
    volume: pulumi.Resource
    """Holds the content. Deleting the volume deletes all content."""


class Grafana(pulumi.ComponentResource):
    """A Grafana server."""

    url: pulumi.Output[str]
    """Address inside the cluster."""
    auth: pulumi.Output[str]
    """`user:password` of the administrator; secret, and the same in every run."""
    server: GrafanaServer

    def __init__(self, name: str, args: GrafanaArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:Grafana", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        namespace = args["namespace"]
        self.url = pulumi.Output.format("http://{0}.{1}.svc:{2}", APP, namespace, PORT)
        admin = _admin(name, args, self)
        self.auth = pulumi.Output.secret(pulumi.Output.format("{0}:{1}", server_config.ADMIN, _password(admin)))
        oauth = args.get("oauth")
        issuer = oauth["issuer"] if oauth else None
        text = server_config.ini(external_url=args["external_url"], port=PORT, smtp=args["smtp"], oauth=issuer)
        folders = grafana_secrets.folders(args["smtp_password"], oauth)
        read_once = pulumi.Output.secret(text + grafana_secrets.texts(folders))
        config = k8s.core.v1.ConfigMap(
            f"{name}-config",
            metadata={"name": f"{APP}-config", "namespace": namespace, "labels": labels(APP)},
            data={"grafana.ini": text},
            opts=child,
        )
        volume = k8s.core.v1.PersistentVolumeClaim(
            f"{name}-data",
            metadata={"name": f"{APP}-data", "namespace": namespace, "labels": labels(APP)},
            spec=_claim(args),
            opts=pulumi.ResourceOptions(parent=self, protect=args["protect"]),
        )
        secret_files = [grafana_secrets.secret(name, APP, folder, namespace, child) for folder in folders]
        network_policies.app_network(f"{name}-network", _network(args), child)
        k8s.core.v1.Service(
            f"{name}-service",
            metadata={"name": APP, "namespace": namespace, "labels": labels(APP)},
            spec={
                "type": "ClusterIP",
                "selector": selector(APP),
                "ports": [{"name": "http", "port": PORT, "target_port": "http", "protocol": "TCP"}],
            },
            opts=child,
        )
        workload = k8s.apps.v1.Deployment(
            f"{name}-deployment",
            metadata={"name": APP, "namespace": namespace, "labels": labels(APP, versions.GRAFANA)},
            spec={
                "replicas": 1,
                # Two servers must not share a SQLite file, and one must not wait for a volume that the other holds.
                "strategy": {"type": "Recreate"},
                "selector": {"match_labels": selector(APP)},
                "template": {
                    "metadata": {
                        "labels": labels(APP, versions.GRAFANA),
                        "annotations": {
                            **scrape(PORT),
                            ANNOTATION: checksum(read_once, salt=name),
                        },
                    },
                    "spec": _pod(args, folders),
                },
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[admin, config, volume, *secret_files]),
        )
        self.server = GrafanaServer(workload=workload, volume=volume)
        self.register_outputs({"url": self.url})


def _admin(name: str, args: GrafanaArgs, parent: pulumi.Resource) -> k8s.core.v1.Secret:
    """The Secret with the administrator's password and the encryption key of the database.

    Every run generates new values, and `ignore_changes` keeps the first ones: the engine replaces ignored inputs by
    those of the last run before the provider sees them.
    """
    texts = {key: secrets.token_urlsafe(32) for key in (server_config.PASSWORD, server_config.SECRET_KEY)}
    return k8s.core.v1.Secret(
        f"{name}-admin",
        metadata={"name": f"{APP}-admin", "namespace": args["namespace"], "labels": labels(APP)},
        type="Opaque",
        string_data=pulumi.Output.secret(texts),
        opts=pulumi.ResourceOptions(parent=parent, ignore_changes=["stringData"], protect=args["protect"]),
    )


def _password(admin: k8s.core.v1.Secret) -> pulumi.Output[str]:
    """The password in the existing Secret, not the one that this run generated.

    The API server, and so the official provider, returns `data` only.
    """

    def read(outputs: list[Any]) -> str:
        data, texts = outputs
        if data and server_config.PASSWORD in data:
            return base64.b64decode(data[server_config.PASSWORD]).decode()
        return texts[server_config.PASSWORD]

    return pulumi.Output.all(admin.data, admin.string_data).apply(read)


def _claim(args: GrafanaArgs) -> PersistentVolumeClaimSpecArgsDict:
    spec: PersistentVolumeClaimSpecArgsDict = {
        "access_modes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": args["storage"]}},
    }
    if args["storage_class"]:
        spec["storage_class_name"] = args["storage_class"]
    return spec


def _pod(args: GrafanaArgs, folders: Sequence[SecretFolder]) -> PodSpecArgsDict:
    return {
        "automount_service_account_token": False,
        "enable_service_links": False,
        "security_context": pods.pod_security(pods.USERS[APP]),
        "termination_grace_period_seconds": 30,
        "containers": [pods.secured(_container(args, folders))],
        "volumes": [
            {"name": "config", "config_map": {"name": f"{APP}-config"}},
            *(grafana_secrets.volume(APP, name) for name in ("admin", *(folder.name for folder in folders))),
            {"name": "data", "persistent_volume_claim": {"claim_name": f"{APP}-data"}},
            {"name": "tmp", "empty_dir": {"size_limit": "64Mi"}},
            {"name": "logs", "empty_dir": {"size_limit": "64Mi"}},
        ],
    }


def _container(args: GrafanaArgs, folders: Sequence[SecretFolder]) -> ContainerArgsDict:
    # No command: the entrypoint differs between the official image and one built from a distribution.
    return {
        "name": APP,
        "image": versions.GRAFANA_IMAGE,
        "ports": [{"name": "http", "container_port": PORT, "protocol": "TCP"}],
        "resources": pods.resources(cores=sizes.CPU[APP], memory=args["memory"]),
        # The first start runs about 600 migrations; five minutes suffice on a slow disk.
        "startup_probe": pods.http_probe("/api/health", "http", failures=60),
        "liveness_probe": pods.http_probe("/api/health", "http", period=10, failures=6),
        "readiness_probe": pods.http_probe("/api/health", "http"),
        "volume_mounts": [
            {"name": "config", "mount_path": _CONFIG, "sub_path": "grafana.ini", "read_only": True},
            {"name": "admin", "mount_path": server_config.SECRETS_FOLDER, "read_only": True},
            *({"name": folder.name, "mount_path": folder.path, "read_only": True} for folder in folders),
            {"name": "data", "mount_path": server_config.DATA},
            {"name": "tmp", "mount_path": "/tmp"},  # noqa: S108 (a volume of the pod's own)
            {"name": "logs", "mount_path": server_config.LOGS},
        ],
    }


def _network(args: GrafanaArgs) -> network_policies.AppNetworkArgs:
    here, tcp = network_policies.app_here, network_policies.tcp
    return {
        "app": APP,
        "namespace": args["namespace"],
        "ingress": [
            {"from_": [here(args["prometheus"]), network_policies.namespaces_with(ACCESS)], "ports": tcp(PORT)},
        ],
        "egress": [
            *({"to": [here(app)], "ports": tcp(port)} for app, port in args["backends"].items()),
            # Channels outside the cluster use https, and mail uses the stack's SMTP server.
            {"ports": tcp(*sorted({443, *grafana_secrets.issuer_ports(args.get("oauth"))}))},
            *([{"ports": tcp(args["smtp_port"])}] if args["smtp_port"] else []),
            {"to": [network_policies.pods_with(RECEIVER)]},
        ],
    }
