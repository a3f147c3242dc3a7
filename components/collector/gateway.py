"""The gateways: they compute span metrics, sample traces, and deliver to the stores, X-Ray and the log index."""

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.core.v1 import ContainerArgsDict, EnvVarArgsDict, EnvVarSourceArgsDict
from pulumi_kubernetes.networking.v1 import NetworkPolicyEgressRuleArgsDict

from components.collector import gateway_config
from components.collector.gateway_config import LOG_INDEX_ENV, GatewayConfig
from components.collector.shared_config import Listen, go_memory_limit
from components.kubernetes import network_policies, pod_identity, pods
from components.kubernetes.checksum import ANNOTATION, checksum
from components.kubernetes.labels import labels
from components.kubernetes.pod_identity import PodIdentity
from components.kubernetes.workload import StatefulAppArgs, peers, stateful_app
from components.logs.log_index import AUTHORIZATION_KEY, LogIndexTarget
from components.opensearch.job import ports as opensearch_ports
from settings import apps, sizes, versions
from settings.quantities import quantity_bytes

APP = apps.GATEWAY
LISTEN = Listen()
_CONFIG = "/etc/otel-gateway"
_DATA = "/var/lib/otel-gateway"


class CollectorGatewayArgs(TypedDict):
    """Arguments of CollectorGateway."""

    namespace: pulumi.Input[str]
    """An existing namespace."""
    agent_namespace: str
    """Namespace of the agents."""
    agent: str
    """App of the agents."""
    events: str
    """App in the same namespace that sends events."""
    replicas: int
    """Each replica receives an equal share of the traces, by their ids."""
    memory: str
    """Request and limit of each replica; 40 % of it is for traces that wait for their sampling decision."""
    storage: str
    """Size of each replica's volume, which holds data for backends that are unavailable."""
    storage_class: str | None
    """None for the cluster's default."""
    sampling_percentage: float
    """Percentage of the other traces that is kept, 0 to 100. All that are slow or have an error are kept."""
    slow_trace: str
    """Prometheus duration from which on a trace is slow."""
    decision_wait: str
    """Prometheus duration from a trace's first span to its sampling decision."""
    scrape_interval: str
    """Prometheus duration between two scrapes of the span metrics."""
    loki: pulumi.Input[str]
    """URL of Loki's OTLP endpoint, without `/v1/logs`."""
    oldest_line_hours: int
    """Age of the oldest line that Loki accepts."""
    services: Mapping[str, Sequence[str]]
    """Namespace -> services that may become labels of its lines and span metrics."""
    loki_app: str
    loki_port: int
    jaeger: pulumi.Input[str]
    """host:port of Jaeger's endpoint for OTLP over gRPC."""
    jaeger_app: str
    jaeger_port: int
    prometheus: str
    """App in the same namespace that scrapes the gateways, and receives the metrics that programs push."""
    prometheus_targets: pulumi.Input[list[str]]
    """host:port of each Prometheus."""
    prometheus_port: int
    xray_region: str | None
    """Region in which X-Ray also receives the kept traces, with the identity of the service account. None for no X-Ray.

    Gateways do not start without an identity, and therefore not outside AWS.
    """
    log_index: NotRequired[LogIndexTarget | None]
    """Log index that also receives the lines of requests; none by default."""
    identity: NotRequired[PodIdentity | None]
    """AWS identity of the service account. None, or absent, if it is created elsewhere."""


class CollectorGateway(pulumi.ComponentResource):
    """The gateways, through which all logs, traces and pushed metrics of a cluster pass."""

    trace_targets: pulumi.Output[list[str]]
    """host:port of each replica. The names are stable, because each trace belongs to one replica."""
    log_target: pulumi.Output[str]
    """gRPC target that resolves to all running replicas."""
    service_account: str | None
    """Service account that needs permission to write to X-Ray; None without X-Ray."""

    def __init__(self, name: str, args: CollectorGatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:CollectorGateway", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        namespace = args["namespace"]
        self.service_account = APP if args["xray_region"] is not None else None
        self.trace_targets = peers(APP, args["replicas"], namespace, LISTEN.grpc)
        self.log_target = pulumi.Output.format("dns:///{0}-peers.{1}.svc:{2}", APP, namespace, LISTEN.grpc)
        index = args.get("log_index")
        config = pulumi.Output.all(
            args["loki"], args["jaeger"], args["prometheus_targets"], index.endpoint if index else None
        ).apply(lambda targets: _render(args, *targets))
        needed: list[pulumi.Resource] = [
            k8s.core.v1.ConfigMap(
                f"{name}-config",
                metadata={"name": f"{APP}-config", "namespace": namespace, "labels": labels(APP)},
                data={"gateway.yaml": config},
                opts=child,
            )
        ]
        network_policies.app_network(f"{name}-network", _network(args), child)
        read_once = pulumi.Output.concat(config, index.secret_checksum) if index else config
        app: StatefulAppArgs = {
            "app": APP,
            "version": versions.OTEL_COLLECTOR,
            "namespace": namespace,
            "replicas": args["replicas"],
            "port": LISTEN.http,
            "metrics_port": LISTEN.metrics,
            "service_ports": [
                {"name": "otlp-grpc", "port": LISTEN.grpc, "target_port": "otlp-grpc", "protocol": "TCP"}
            ],
            "container": _container(args),
            "volumes": [{"name": "config", "config_map": {"name": f"{APP}-config"}}],
            "storage": args["storage"],
            "storage_class": args["storage_class"],
            # The collector reads its configuration only when it starts.
            "annotations": {ANNOTATION: checksum(read_once, salt=name)},
            # Time to decide on the waiting traces and to write them to the queue.
            "termination_seconds": 60,
        }
        identity = args.get("identity")
        if self.service_account is not None:
            app["service_account"] = self.service_account
            app["api_token"] = False
            needed.append(
                pod_identity.service_account(
                    f"{name}-account", APP, namespace, identity.account if identity else {}, child
                )
            )
        if index:
            needed.extend(index.ready)
        if identity:
            needed.append(identity.ready)
            app["annotations"] = {**identity.annotations, **app.get("annotations", {})}
        stateful_app(name, app, parent=self, depends_on=needed)
        self.register_outputs({"trace_targets": self.trace_targets, "log_target": self.log_target})


def _render(args: CollectorGatewayArgs, loki: str, jaeger: str, prometheus: list[str], index: str | None) -> str:
    return gateway_config.render(
        GatewayConfig(
            sampling_percentage=args["sampling_percentage"],
            slow_trace=args["slow_trace"],
            decision_wait=args["decision_wait"],
            scrape_interval=args["scrape_interval"],
            memory_bytes=quantity_bytes(args["memory"]),
            storage_bytes=quantity_bytes(args["storage"]),
            jaeger=jaeger,
            loki=loki,
            prometheus=prometheus,
            oldest_line_hours=args["oldest_line_hours"],
            services=args["services"],
            xray_region=args["xray_region"],
            log_index=index,
            data_folder=_DATA,
            listen=LISTEN,
        )
    )


def _container(args: CollectorGatewayArgs) -> ContainerArgsDict:
    env: list[EnvVarArgsDict] = [{"name": "GOMEMLIMIT", "value": go_memory_limit(quantity_bytes(args["memory"]))}]
    if index := args.get("log_index"):
        authorization: EnvVarSourceArgsDict = {"secret_key_ref": {"name": index.secret, "key": AUTHORIZATION_KEY}}
        env.append({"name": LOG_INDEX_ENV, "value_from": authorization})
    return {
        "name": APP,
        "image": versions.OTEL_COLLECTOR_IMAGE,
        "args": [f"--config={_CONFIG}/gateway.yaml"],
        "env": env,
        "ports": [
            {"name": "http", "container_port": LISTEN.http, "protocol": "TCP"},
            {"name": "otlp-grpc", "container_port": LISTEN.grpc, "protocol": "TCP"},
            {"name": "metrics", "container_port": LISTEN.metrics, "protocol": "TCP"},
            # Prometheus discovers span metrics by this port name.
            {"name": "span-metrics", "container_port": LISTEN.span_metrics, "protocol": "TCP"},
            {"name": "health", "container_port": LISTEN.health, "protocol": "TCP"},
        ],
        "resources": pods.resources(cores=sizes.CPU[APP], memory=args["memory"]),
        # Compacting large queues at the start takes a while.
        "startup_probe": pods.http_probe("/", "health", failures=60),
        "liveness_probe": pods.http_probe("/", "health", failures=6),
        "readiness_probe": pods.http_probe("/", "health"),
        "volume_mounts": [
            {"name": "config", "mount_path": _CONFIG, "read_only": True},
            {"name": "data", "mount_path": _DATA},
        ],
    }


def _network(args: CollectorGatewayArgs) -> network_policies.AppNetworkArgs:
    here, tcp = network_policies.app_here, network_policies.tcp
    egress: list[NetworkPolicyEgressRuleArgsDict] = [
        {"to": [here(args["loki_app"])], "ports": tcp(args["loki_port"])},
        {"to": [here(args["jaeger_app"])], "ports": tcp(args["jaeger_port"])},
        {"to": [here(args["prometheus"])], "ports": tcp(args["prometheus_port"])},
    ]
    if args["xray_region"] is not None:
        egress.append({"ports": tcp(443)})
        egress.append(pod_identity.egress())
    if index := args.get("log_index"):
        egress.append({"ports": index.endpoint.apply(lambda url: opensearch_ports([url]))})
    return {
        "app": APP,
        "namespace": args["namespace"],
        "ingress": [
            {
                "from_": [network_policies.app_in(args["agent_namespace"], args["agent"]), here(args["events"])],
                "ports": tcp(LISTEN.grpc),
            },
            {"from_": [here(args["prometheus"])], "ports": tcp(LISTEN.metrics, LISTEN.span_metrics)},
        ],
        "egress": egress,
    }
