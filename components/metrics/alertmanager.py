"""Alertmanager: groups alerts, mutes what others explain, and notifies the channels. Replicas agree on who does it.

It promises at least one notification: when a replica dies after it notified and before it told the others, another
notifies again.
"""

from collections.abc import Mapping
from typing import TypedDict

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.core.v1 import ContainerArgsDict

from alerting.durations import seconds
from components.kubernetes import network_policies, pods
from components.kubernetes.checksum import ANNOTATION, checksum
from components.kubernetes.labels import ACCESS, RECEIVER, labels
from components.kubernetes.workload import peers, stateful_app
from settings import sizes, versions
from settings.apps import ALERTMANAGER

APP = ALERTMANAGER.name
PORT = ALERTMANAGER.port
_GOSSIP = 9094
_DATA = "/alertmanager"
_CONFIG = "/etc/alertmanager/config"


class AlertmanagerArgs(TypedDict):
    """Arguments of Alertmanager."""

    namespace: pulumi.Input[str]
    """Namespace that already exists."""
    replicas: int
    storage: str
    """Size of each replica's volume."""
    storage_class: str | None
    """None for the cluster's default."""
    external_url: str
    """Where people open it; stands in notifications."""
    group_interval: str
    """Prometheus duration after which a group is looked at again."""
    files: pulumi.Input[Mapping[str, str]]
    """alertmanager.yml and what it names beside it, by name; secret, because they contain the channels' addresses."""
    smtp_port: int | None
    """Port of an SMTP server outside the cluster that it sends to."""
    prometheus: str
    """App whose pods, in the same namespace, send alerts and scrape."""


class Alertmanager(pulumi.ComponentResource):
    """Notifications of one cluster."""

    url: pulumi.Output[str]
    """Address inside the cluster; for people and silences. Prometheus sends to every one of `targets`."""
    targets: pulumi.Output[list[str]]
    """host:port of every replica."""

    def __init__(self, name: str, args: AlertmanagerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:Alertmanager", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        namespace = args["namespace"]
        self.url = pulumi.Output.format("http://{0}.{1}.svc:{2}", APP, namespace, PORT)
        self.targets = peers(APP, args["replicas"], namespace, PORT)
        secret = k8s.core.v1.Secret(
            f"{name}-config",
            metadata={"name": f"{APP}-config", "namespace": namespace, "labels": labels(APP)},
            type="Opaque",
            string_data=pulumi.Output.secret(args["files"]),
            opts=child,
        )
        network_policies.app_network(f"{name}-network", _network(args), child)
        stateful_app(
            name,
            {
                "app": APP,
                "version": versions.ALERTMANAGER,
                "namespace": namespace,
                "replicas": args["replicas"],
                "port": PORT,
                "container": _container(args),
                "volumes": [{"name": "config", "secret": {"secret_name": f"{APP}-config"}}],
                "storage": args["storage"],
                "storage_class": args["storage_class"],
                "peer_ports": [
                    {"name": f"gossip-{protocol.lower()}", "port": _GOSSIP, "protocol": protocol}
                    for protocol in ("TCP", "UDP")
                ],
                # Alertmanager reads its configuration at its start; only a restart makes sure that all read the same.
                "annotations": {
                    ANNOTATION: checksum(pulumi.Output.json_dumps(args["files"], sort_keys=True), salt=name)
                },
                "termination_seconds": 60,
            },
            parent=self,
            depends_on=[secret],
        )
        self.register_outputs({"url": self.url, "targets": self.targets})


def _container(args: AlertmanagerArgs) -> ContainerArgsDict:
    gossip = peers(APP, args["replicas"], args["namespace"], _GOSSIP)
    return {
        "name": APP,
        "image": versions.ALERTMANAGER_IMAGE,
        "args": [
            f"--config.file={_CONFIG}/alertmanager.yml",
            f"--storage.path={_DATA}",
            f"--web.listen-address=:{PORT}",
            f"--web.external-url={args['external_url']}",
            "--web.route-prefix=/",
            # Experimental by name only: without it nobody can tell which channel fails.
            "--enable-feature=receiver-name-in-metrics",
            f"--cluster.listen-address=0.0.0.0:{_GOSSIP}",
            f"--cluster.advertise-address=$(POD_IP):{_GOSSIP}",
            f"--cluster.peer-timeout={_peer_timeout(args):.3g}s",
            # A restarted peer has a new address, so its name is looked up again for this long.
            "--cluster.reconnect-timeout=5m",
            *(
                pulumi.Output.format("--cluster.peer={0}", gossip.apply(lambda hosts, index=index: hosts[index]))
                for index in range(args["replicas"])
            ),
        ],
        "env": [{"name": "POD_IP", "value_from": {"field_ref": {"field_path": "status.podIP"}}}],
        "ports": [
            {"name": "http", "container_port": PORT, "protocol": "TCP"},
            {"name": "gossip-tcp", "container_port": _GOSSIP, "protocol": "TCP"},
            {"name": "gossip-udp", "container_port": _GOSSIP, "protocol": "UDP"},
        ],
        "resources": pods.resources(cores=sizes.CPU[APP], memory=sizes.MEMORY[APP]),
        "startup_probe": pods.http_probe("/-/ready", "http", failures=24),
        "liveness_probe": pods.http_probe("/-/healthy", "http", failures=6),
        "readiness_probe": pods.http_probe("/-/ready", "http"),
        "volume_mounts": [
            {"name": "config", "mount_path": _CONFIG, "read_only": True},
            {"name": "data", "mount_path": _DATA},
        ],
    }


def _peer_timeout(args: AlertmanagerArgs) -> float:
    """Seconds that each replica gives the one before it to notify, before it does so itself.

    Alertmanager's default is 15 s. All replicas must have had their turn before the group is looked at again, or a late
    one would notify of what is over.
    """
    return min(15.0, seconds(args["group_interval"]) / (args["replicas"] + 1))


def _network(args: AlertmanagerArgs) -> network_policies.AppNetworkArgs:
    here = network_policies.app_here
    gossip = [*network_policies.tcp(_GOSSIP), *network_policies.udp(_GOSSIP)]
    return {
        "app": APP,
        "namespace": args["namespace"],
        "ingress": [
            {
                # Loki's ruler sends the alerts on logs.
                "from_": [
                    here(args["prometheus"]),
                    here("loki"),
                    here("grafana"),
                    network_policies.namespaces_with(ACCESS),
                ],
                "ports": network_policies.tcp(PORT),
            },
            {"from_": [here(APP)], "ports": gossip},
        ],
        "egress": [
            {"to": [here(APP)], "ports": gossip},
            # Channels outside the cluster are reached by https only, mailboxes by the stack's SMTP server.
            {"ports": network_policies.tcp(443)},
            *([{"ports": network_policies.tcp(args["smtp_port"])}] if args["smtp_port"] else []),
            {"to": [network_policies.pods_with(RECEIVER)]},
        ],
    }
