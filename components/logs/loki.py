"""Loki: stores log lines, answers queries, and alerts on lines. Every replica has all roles; a ring assigns streams.

A changed rule restarts nothing. A changed configuration restarts the replicas one by one. An acknowledged line survives
a restart, because it is in the write-ahead log on the replica's volume.

Retention depends on age, so logs may fill the volume. When nine tenths are full, Loki rejects lines. They wait in the
gateways' queues, which deliver them once there is room. The remedy is a larger volume.
"""

from typing import NotRequired, TypedDict

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.core.v1 import ContainerArgsDict, EnvVarArgsDict
from pulumi_kubernetes.networking.v1 import NetworkPolicyEgressRuleArgsDict

from components.kubernetes import network_policies, pod_identity, pods
from components.kubernetes.checksum import ANNOTATION, checksum
from components.kubernetes.labels import CONTROL, labels
from components.kubernetes.pod_identity import PodIdentity
from components.kubernetes.workload import StatefulAppArgs, stateful_app
from components.logs import loki_config
from components.logs.loki_config import CONFIG_FOLDER, DATA, GOSSIP, GRPC, PORT, RULES_FOLDER, S3, TENANT, LokiConfig
from components.metrics.alertmanager import APP as ALERTMANAGER
from components.metrics.alertmanager import PORT as ALERTMANAGER_PORT
from settings import sizes, versions
from settings.apps import LOKI
from settings.quantities import quantity_bytes

APP = LOKI.name
# The folder `tmp`, and the rest as of every pod.
_DISK = "1280Mi"
# Share of the memory limit. Above it, Go collects garbage more often to avoid an OOM kill.
_GO_MEMORY = 0.9


class S3Credentials(TypedDict):
    """Access key of an S3 server that is not AWS."""

    access_key_id: pulumi.Input[str]
    secret_access_key: pulumi.Input[str]


class LokiArgs(TypedDict):
    """Arguments of Loki."""

    namespace: pulumi.Input[str]
    """An existing namespace."""
    replicas: int
    """More than one only with `s3`. Three or more store three copies of each line; fewer store one."""
    retention: str
    """Whole days, see sizes.loki_retention_problem."""
    storage: str
    """Size of each replica's volume for write-ahead log and index, and without `s3` for all logs."""
    storage_class: str | None
    """None for the cluster's default."""
    memory: str
    """Request and limit of each replica."""
    s3: S3 | None
    """Bucket of chunks and index; None to store them on the volume."""
    s3_credentials: NotRequired[S3Credentials]
    """For an endpoint that is not AWS. Without it, Loki uses the identity of the service account `loki`."""
    identity: NotRequired[PodIdentity | None]
    """AWS identity of the service account `loki`. None, or absent, if it is created elsewhere."""
    evaluation_interval: str
    """Prometheus duration between two evaluations of a rule."""
    cluster: str
    """Value of the label `cluster` on every alert."""
    grafana_url: str
    """URL at which people open Grafana. An alert links to its query there."""
    rule_files: dict[str, str]
    """File name -> YAML."""
    alertmanagers: pulumi.Input[list[str]]
    """host:port of each Alertmanager."""
    clients: list[str]
    """Apps in the same namespace that push to, query or scrape Loki."""


class Loki(pulumi.ComponentResource):
    """The logs of a cluster, and the alerts on them."""

    url: pulumi.Output[str]
    """Address inside the cluster. OpenTelemetry's exporters append /v1/logs to `url`/otlp."""

    def __init__(self, name: str, args: LokiArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:Loki", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        namespace = args["namespace"]
        self.url = pulumi.Output.format("http://{0}.{1}.svc:{2}", APP, namespace, PORT)
        config = pulumi.Output.all(namespace, args["alertmanagers"]).apply(lambda known: _config(args, *known))
        needed: list[pulumi.Resource] = [
            k8s.core.v1.ConfigMap(
                f"{name}-{suffix}",
                metadata={"name": f"{APP}-{suffix}", "namespace": namespace, "labels": labels(APP)},
                data=data,
                opts=child,
            )
            for suffix, data in (("config", {"loki.yaml": config}), ("rules", args["rule_files"]))
        ]
        read_at_start: list[pulumi.Input[str]] = [config]
        if credentials := args.get("s3_credentials"):
            needed.append(_credentials(name, namespace, credentials, child))
            read_at_start += [credentials["access_key_id"], credentials["secret_access_key"]]
        network_policies.app_network(f"{name}-network", _network(args), child)
        app: StatefulAppArgs = {
            "app": APP,
            "version": versions.LOKI,
            "namespace": namespace,
            "replicas": args["replicas"],
            "port": PORT,
            "container": _container(args),
            "volumes": [
                {"name": "config", "config_map": {"name": f"{APP}-config"}},
                {"name": "rules", "config_map": {"name": f"{APP}-rules"}},
                # The compactor writes deletion marks here before it moves them.
                {"name": "tmp", "empty_dir": {"size_limit": "1Gi"}},
            ],
            "storage": args["storage"],
            "storage_class": args["storage_class"],
            "peer_ports": [
                {"name": "grpc", "port": GRPC, "protocol": "TCP"},
                {"name": "gossip", "port": GOSSIP, "protocol": "TCP"},
            ],
            "annotations": {
                ANNOTATION: checksum(pulumi.Output.all(*read_at_start).apply("\n".join), salt=name),
            },
            # With a bucket, Loki uploads all chunks in memory before it exits.
            "termination_seconds": 300,
        }
        identity = args.get("identity")
        if args["s3"] and "s3_credentials" not in args:
            annotations = identity.account if identity else {}
            needed.append(pod_identity.service_account(f"{name}-account", APP, namespace, annotations, child))
            app["service_account"] = APP
            app["api_token"] = False
        if identity:
            needed.append(identity.ready)
            app["annotations"] = {**identity.annotations, **app.get("annotations", {})}
        stateful_app(name, app, parent=self, depends_on=needed)
        self.register_outputs({"url": self.url})


def _config(args: LokiArgs, namespace: str, alertmanagers: list[str]) -> str:
    return loki_config.render(
        LokiConfig(
            s3=args["s3"],
            replicas=args["replicas"],
            retention=args["retention"],
            memory_bytes=quantity_bytes(args["memory"]),
            cluster=args["cluster"],
            evaluation_interval=args["evaluation_interval"],
            rule_files=args["rule_files"],
            grafana_url=args["grafana_url"],
            alertmanagers=alertmanagers,
            peers=f"{APP}-peers.{namespace}.svc:{GOSSIP}",
        )
    )


def _credentials(
    name: str, namespace: pulumi.Input[str], credentials: S3Credentials, child: pulumi.ResourceOptions
) -> k8s.core.v1.Secret:
    return k8s.core.v1.Secret(
        f"{name}-s3",
        metadata={"name": f"{APP}-s3", "namespace": namespace, "labels": labels(APP)},
        type="Opaque",
        # Names of the environment variables that Loki's AWS SDK reads.
        string_data={
            "AWS_ACCESS_KEY_ID": pulumi.Output.secret(credentials["access_key_id"]),
            "AWS_SECRET_ACCESS_KEY": pulumi.Output.secret(credentials["secret_access_key"]),
        },
        opts=child,
    )


def _container(args: LokiArgs) -> ContainerArgsDict:
    variables: list[EnvVarArgsDict] = [
        {"name": "POD_IP", "value_from": {"field_ref": {"field_path": "status.podIP"}}},
        {"name": "GOMEMLIMIT", "value": f"{int(quantity_bytes(args['memory']) * _GO_MEMORY)}B"},
    ]
    container: ContainerArgsDict = {
        "name": APP,
        "image": versions.LOKI_IMAGE,
        "args": ["-target=all", f"-config.file={CONFIG_FOLDER}/loki.yaml", "-config.expand-env=true"],
        "env": variables,
        "ports": [
            {"name": "http", "container_port": PORT, "protocol": "TCP"},
            {"name": "grpc", "container_port": GRPC, "protocol": "TCP"},
            {"name": "gossip", "container_port": GOSSIP, "protocol": "TCP"},
        ],
        "resources": pods.resources(cores=sizes.CPU[APP], memory=args["memory"], disk=_DISK),
        # Replaying a large write-ahead log takes minutes. Kubernetes gives up after a quarter of an hour.
        "startup_probe": pods.http_probe("/ready", "http", period=2, failures=450),
        # /ready fails while the ring changes. Only a program that accepts no connections is restarted.
        "liveness_probe": {
            "tcp_socket": {"port": "http"},
            "period_seconds": 10,
            "failure_threshold": 6,
            "timeout_seconds": 3,
        },
        "readiness_probe": pods.http_probe("/ready", "http"),
        "volume_mounts": [
            {"name": "config", "mount_path": CONFIG_FOLDER, "read_only": True},
            {"name": "rules", "mount_path": f"{RULES_FOLDER}/{TENANT}", "read_only": True},
            {"name": "data", "mount_path": DATA},
            {"name": "tmp", "mount_path": "/tmp"},  # noqa: S108  (the pod's own)
        ],
    }
    if "s3_credentials" in args:
        container["env_from"] = [{"secret_ref": {"name": f"{APP}-s3"}}]
    return container


def _network(args: LokiArgs) -> network_policies.AppNetworkArgs:
    here, tcp = network_policies.app_here, network_policies.tcp
    egress: list[NetworkPolicyEgressRuleArgsDict] = [
        {"to": [here(APP)], "ports": tcp(GRPC, GOSSIP)},
        {"to": [here(ALERTMANAGER)], "ports": tcp(ALERTMANAGER_PORT)},
    ]
    if s3 := args["s3"]:
        # Buckets have no fixed addresses.
        egress.append({"ports": tcp(loki_config.endpoint_port(s3))})
        if not s3.endpoint:
            egress.append(pod_identity.egress())
    return {
        "app": APP,
        "namespace": args["namespace"],
        "ingress": [
            {
                "from_": [*(here(client) for client in args["clients"]), network_policies.namespaces_with(CONTROL)],
                "ports": tcp(PORT),
            },
            {"from_": [here(APP)], "ports": tcp(GRPC, GOSSIP)},
        ],
        "egress": egress,
    }
