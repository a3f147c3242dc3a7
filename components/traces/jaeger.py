"""Jaeger: stores and shows the sampled traces, and shows the services' rates, errors and durations.

With `badger`, traces are on the volume of one pod. That is **not highly available**: while the pod restarts, traces
cannot be queried, and new traces wait in the gateways' queues. A StatefulSet with one replica never runs two pods, so
two processes never open the same files. If the volume is lost, so are its traces. With `opensearch`, any number of
replicas share one store, and OpenSearch is responsible for the data.
"""

from typing import NotRequired, TypedDict

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.core.v1 import (
    ContainerArgsDict,
    EnvVarArgsDict,
    PodSpecArgsDict,
    ServicePortArgsDict,
    VolumeMountArgsDict,
)
from pulumi_kubernetes.networking.v1 import NetworkPolicyEgressRuleArgsDict

from components.kubernetes import network_policies, pods
from components.kubernetes.checksum import ANNOTATION, checksum
from components.kubernetes.disruption_budgets import own_budget
from components.kubernetes.labels import ACCESS, labels, scrape, selector
from components.kubernetes.workload import stateful_app
from components.opensearch.job import ports as opensearch_ports
from components.traces import jaeger_config
from components.traces.jaeger_config import JaegerConfig, Listen, StorageBackend
from settings import sizes, versions
from settings.apps import JAEGER
from settings.quantities import quantity_bytes

APP = JAEGER.name
_LISTEN = Listen()
PORT = _LISTEN.query
OTLP_PORT = _LISTEN.grpc
_CONFIG = "/etc/jaeger"
_DATA = "/var/lib/jaeger"
_SECRET = f"{APP}-opensearch"
# Share of the memory limit. Above it, Go collects garbage more often to avoid an OOM kill.
_GO_SHARE = 0.8


class OpenSearchArgs(TypedDict):
    """An existing OpenSearch."""

    urls: pulumi.Input[list[str]]
    """`https://host:port` of its nodes. A public authority must have issued their certificates."""
    username: pulumi.Input[str]
    password: pulumi.Input[str]
    """Stored only in a Secret."""
    index_replicas: NotRequired[int]
    """Copies of each shard; defaults to 1."""
    ready: NotRequired[pulumi.Resource]
    """Resource without which OpenSearch does not know the user."""


class JaegerArgs(TypedDict):
    """Arguments of Jaeger."""

    namespace: pulumi.Input[str]
    """An existing namespace."""
    storage_backend: StorageBackend
    retention: str
    """Prometheus duration. In OpenSearch it only limits queries; components/opensearch/retention.py deletes traces."""
    memory: str
    """Request and limit of each replica."""
    storage: str
    """Size of the volume; badger only."""
    storage_class: str | None
    """None for the cluster's default."""
    replicas: int
    """Applies to `opensearch`; `badger` always has one replica."""
    opensearch: NotRequired[OpenSearchArgs]
    """Required if storage_backend is `opensearch`."""
    prometheus: str
    """App in the same namespace that has the span metrics and scrapes Jaeger."""
    prometheus_url: pulumi.Input[str]
    prometheus_port: int
    gateway: str
    """App in the same namespace that sends traces."""


class Jaeger(pulumi.ComponentResource):
    """The traces of a cluster."""

    url: pulumi.Output[str]
    """URL of UI and API inside the cluster."""
    otlp: pulumi.Output[str]
    """host:port for OTLP over gRPC."""

    def __init__(self, name: str, args: JaegerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        opensearch = _store(args)
        super().__init__("observability:index:Jaeger", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        namespace = args["namespace"]
        self.url = pulumi.Output.format("http://{0}.{1}.svc:{2}", APP, namespace, PORT)
        self.otlp = pulumi.Output.format("{0}.{1}.svc:{2}", APP, namespace, OTLP_PORT)
        urls = opensearch["urls"] if opensearch else []
        config = pulumi.Output.all(args["prometheus_url"], urls).apply(lambda known: _render(args, *known))
        needed: list[pulumi.Resource] = [
            k8s.core.v1.ConfigMap(
                f"{name}-config",
                metadata={"name": f"{APP}-config", "namespace": namespace, "labels": labels(APP)},
                data={"jaeger.yaml": config},
                opts=child,
            )
        ]
        if opensearch:
            needed.append(_credentials(name, namespace, opensearch, child))
            needed.extend([opensearch["ready"]] if "ready" in opensearch else [])
        network_policies.app_network(f"{name}-network", _network(args), child)
        login = [opensearch["username"], opensearch["password"]] if opensearch else []
        read_once = pulumi.Output.all(config, *login).apply("\n".join)
        annotations: dict[str, pulumi.Input[str]] = {ANNOTATION: checksum(read_once, salt=name)}
        if opensearch:
            _deployment(name, args, annotations, pulumi.ResourceOptions(parent=self, depends_on=needed))
        else:
            stateful_app(
                name,
                {
                    "app": APP,
                    "version": versions.JAEGER,
                    "namespace": namespace,
                    "replicas": 1,
                    "port": PORT,
                    "metrics_port": _LISTEN.metrics,
                    "service_ports": _otlp_ports(),
                    "container": _container(args),
                    "volumes": [{"name": "config", "config_map": {"name": f"{APP}-config"}}],
                    "storage": args["storage"],
                    "storage_class": args["storage_class"],
                    "annotations": annotations,
                    # Badger writes its data in memory to disk before it exits.
                    "termination_seconds": 60,
                },
                parent=self,
                depends_on=needed,
            )
        self.register_outputs({"url": self.url, "otlp": self.otlp})


def _store(args: JaegerArgs) -> OpenSearchArgs | None:
    """The OpenSearch in use; None for badger. Raises ValueError before any resource is created."""
    backend, opensearch = args["storage_backend"], args.get("opensearch")
    if backend not in jaeger_config.STORAGE_BACKENDS:
        allowed = ", ".join(jaeger_config.STORAGE_BACKENDS)
        raise ValueError(f"Jaeger's storage_backend is {backend!r}; allowed: {allowed}")
    if backend == "badger":
        return None
    if opensearch is None or opensearch["urls"] == []:
        raise ValueError("Jaeger's storage_backend is 'opensearch', and opensearch.urls is empty or not set")
    return opensearch


def _render(args: JaegerArgs, prometheus_url: str, opensearch_urls: list[str]) -> str:
    opensearch = _store(args)
    common = JaegerConfig(
        retention=args["retention"],
        prometheus=prometheus_url,
        storage=args["storage_backend"],
        opensearch_urls=opensearch_urls,
        opensearch_replicas=opensearch.get("index_replicas", 1) if opensearch else 0,
        data_folder=_DATA,
        listen=_LISTEN,
    )
    return jaeger_config.render(common)


def _otlp_ports() -> list[ServicePortArgsDict]:
    return [
        {"name": "otlp-grpc", "port": _LISTEN.grpc, "target_port": "otlp-grpc", "protocol": "TCP"},
        {"name": "otlp-http", "port": _LISTEN.http, "target_port": "otlp-http", "protocol": "TCP"},
    ]


def _container(args: JaegerArgs) -> ContainerArgsDict:
    env: list[EnvVarArgsDict] = [{"name": "GOMEMLIMIT", "value": str(int(quantity_bytes(args["memory"]) * _GO_SHARE))}]
    mounts: list[VolumeMountArgsDict] = [{"name": "config", "mount_path": _CONFIG, "read_only": True}]
    if args["storage_backend"] == "badger":
        mounts.append({"name": "data", "mount_path": _DATA})
    else:
        env.append(_from_secret(jaeger_config.USERNAME_ENV, "username"))
        env.append(_from_secret(jaeger_config.PASSWORD_ENV, "password"))
    return {
        "name": APP,
        "image": versions.JAEGER_IMAGE,
        "args": [f"--config={_CONFIG}/jaeger.yaml"],
        "env": env,
        "ports": [
            {"name": "http", "container_port": _LISTEN.query, "protocol": "TCP"},
            {"name": "otlp-grpc", "container_port": _LISTEN.grpc, "protocol": "TCP"},
            {"name": "otlp-http", "container_port": _LISTEN.http, "protocol": "TCP"},
            {"name": "metrics", "container_port": _LISTEN.metrics, "protocol": "TCP"},
            {"name": "health", "container_port": _LISTEN.health, "protocol": "TCP"},
        ],
        "resources": pods.resources(cores=sizes.CPU[APP], memory=args["memory"]),
        # Badger replays its log when it starts.
        "startup_probe": pods.http_probe("/status", "health", failures=60),
        "liveness_probe": pods.http_probe("/status", "health", failures=6),
        "readiness_probe": pods.http_probe("/status", "health"),
        "volume_mounts": mounts,
    }


def _from_secret(variable: str, key: str) -> EnvVarArgsDict:
    return {"name": variable, "value_from": {"secret_key_ref": {"name": _SECRET, "key": key}}}


def _credentials(
    name: str, namespace: pulumi.Input[str], opensearch: OpenSearchArgs, child: pulumi.ResourceOptions
) -> k8s.core.v1.Secret:
    return k8s.core.v1.Secret(
        f"{name}-opensearch",
        metadata={"name": _SECRET, "namespace": namespace, "labels": labels(APP)},
        type="Opaque",
        string_data={
            "username": pulumi.Output.secret(opensearch["username"]),
            "password": pulumi.Output.secret(opensearch["password"]),
        },
        opts=child,
    )


def _deployment(
    name: str, args: JaegerArgs, annotations: dict[str, pulumi.Input[str]], opts: pulumi.ResourceOptions
) -> None:
    namespace = args["namespace"]
    ports: list[ServicePortArgsDict] = [{"name": "http", "port": PORT, "target_port": "http", "protocol": "TCP"}]
    k8s.core.v1.Service(
        f"{name}-service",
        metadata={"name": APP, "namespace": namespace, "labels": labels(APP)},
        spec={"type": "ClusterIP", "selector": selector(APP), "ports": [*ports, *_otlp_ports()]},
        opts=opts,
    )
    pod: PodSpecArgsDict = {
        "automount_service_account_token": False,
        "enable_service_links": False,
        "security_context": pods.pod_security(pods.USERS[APP]),
        "termination_grace_period_seconds": 30,
        "topology_spread_constraints": pods.spread(APP),
        "containers": [pods.secured(_container(args))],
        "volumes": [{"name": "config", "config_map": {"name": f"{APP}-config"}}],
    }
    k8s.apps.v1.Deployment(
        f"{name}-deployment",
        metadata={"name": APP, "namespace": namespace, "labels": labels(APP, versions.JAEGER)},
        spec={
            "replicas": args["replicas"],
            "selector": {"match_labels": selector(APP)},
            "template": {
                "metadata": {
                    "labels": labels(APP, versions.JAEGER),
                    "annotations": {**scrape(_LISTEN.metrics), **annotations},
                },
                "spec": pod,
            },
        },
        opts=opts,
    )
    own_budget(f"{name}-budget", APP, namespace, opts)


def _network(args: JaegerArgs) -> network_policies.AppNetworkArgs:
    here, tcp = network_policies.app_here, network_policies.tcp
    egress: list[NetworkPolicyEgressRuleArgsDict] = [
        {"to": [here(args["prometheus"])], "ports": tcp(args["prometheus_port"])}
    ]
    opensearch = _store(args)
    if opensearch:
        # OpenSearch is a cloud service or another team's, and has no pods that a selector could name.
        egress.append({"ports": pulumi.Output.from_input(opensearch["urls"]).apply(opensearch_ports)})
    return {
        "app": APP,
        "namespace": args["namespace"],
        "ingress": [
            {"from_": [here(args["gateway"])], "ports": tcp(OTLP_PORT)},
            {"from_": [here("grafana"), network_policies.namespaces_with(ACCESS)], "ports": tcp(PORT)},
            {"from_": [here(args["prometheus"])], "ports": tcp(PORT, _LISTEN.metrics)},
        ],
        "egress": egress,
    }
