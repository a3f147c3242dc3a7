"""Alertmanager: groups alerts, inhibits those that others explain, and notifies the channels.

The replicas coordinate so that one of them notifies. A notification is sent at least once: if a replica fails after it
has notified and before it informs the others, another replica notifies again.
"""

from collections.abc import Mapping
from typing import TypedDict

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.core.v1 import ContainerArgsDict

from alerting import routing
from alerting.durations import seconds
from components.kubernetes import network_policies, pods
from components.kubernetes.checksum import ANNOTATION, checksum
from components.kubernetes.labels import CONTROL, RECEIVER, labels
from components.kubernetes.workload import peers, stateful_app
from settings import sizes
from settings.apps import ALERTMANAGER

APP = ALERTMANAGER.name
PORT = ALERTMANAGER.port
_GOSSIP = 9094
_DATA = "/alertmanager"
_CONFIG = "/etc/alertmanager/config"


class AlertmanagerArgs(TypedDict):
    """Arguments of Alertmanager."""

    namespace: pulumi.Input[str]
    """An existing namespace."""
    image: str
    """Its tag is `v` and the version."""
    replicas: int
    storage: str
    """Size of each replica's volume."""
    storage_class: str | None
    """None for the cluster's default."""
    external_url: str
    """URL at which people open Alertmanager; notifications contain it."""
    group_interval: str
    """Prometheus duration after which Alertmanager processes a group again."""
    files: pulumi.Input[Mapping[str, str]]
    """Name -> text of alertmanager.yml and the files that it names. Secret: they contain the channels' addresses."""
    smtp_port: int | None
    """Port of an SMTP server outside the cluster; None if it is inside."""
    prometheus: str
    """App in the same namespace that sends alerts and scrapes."""


class Alertmanager(pulumi.ComponentResource):
    """The notifications of a cluster."""

    url: pulumi.Output[str]
    """Address inside the cluster, for people and silences. Prometheus sends to all `targets`."""
    targets: pulumi.Output[list[str]]
    """host:port of each replica."""

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
                "version": args["image"].rpartition(":v")[2],
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
                # Alertmanager reads its configuration when it starts. A restart ensures that all replicas read it.
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
        "image": args["image"],
        "args": [
            f"--config.file={_CONFIG}/alertmanager.yml",
            f"--storage.path={_DATA}",
            f"--data.retention={routing.RETENTION}",
            f"--web.listen-address=:{PORT}",
            f"--web.external-url={args['external_url']}",
            "--web.route-prefix=/",
            # Formally experimental. Without it, metrics do not show which channel fails.
            "--enable-feature=receiver-name-in-metrics",
            f"--cluster.listen-address=0.0.0.0:{_GOSSIP}",
            # An IPv6 address needs the brackets, and an IPv4 address may have them.
            f"--cluster.advertise-address=[$(POD_IP)]:{_GOSSIP}",
            f"--cluster.peer-timeout={_peer_timeout(args):.3g}s",
            # A restarted peer has a new address. Alertmanager resolves its name again during this time.
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
    """Seconds that each replica waits for the previous one to notify, before it notifies itself.

    Alertmanager's default is 15 s. All replicas must have had their turn before the group is processed again. Otherwise
    a late replica would send an outdated notification.
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
                # Loki's ruler sends alerts on logs.
                "from_": [
                    here(args["prometheus"]),
                    here("loki"),
                    here("grafana"),
                    network_policies.namespaces_with(CONTROL),
                ],
                "ports": network_policies.tcp(PORT),
            },
            {"from_": [here(APP)], "ports": gossip},
        ],
        "egress": [
            {"to": [here(APP)], "ports": gossip},
            # Channels outside the cluster use https, and mail uses the stack's SMTP server.
            {"ports": network_policies.tcp(443)},
            *([{"ports": network_policies.tcp(args["smtp_port"])}] if args["smtp_port"] else []),
            {"to": [network_policies.pods_with(RECEIVER)]},
        ],
    }
