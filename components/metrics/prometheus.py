"""Prometheus: scrapes annotated pods, evaluates the rules, and sends alerts to Alertmanager. All replicas do the same.

A changed rule or scrape configuration restarts nothing, because Prometheus watches the mounted folders of both.
"""

from collections.abc import Sequence
from typing import NotRequired, TypedDict

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.core.v1 import ContainerArgsDict
from pulumi_kubernetes.rbac.v1 import PolicyRuleArgsDict

from components.kubernetes import network_policies, pods
from components.kubernetes.cluster_rights import cluster_rights
from components.kubernetes.labels import CONTROL, labels
from components.kubernetes.workload import peers, stateful_app
from components.metrics import eks_jobs, monitor_jobs, monitor_reader, prometheus_config
from components.metrics.prometheus_config import CONFIG_FOLDER
from components.metrics.remote_write import ALL_METRICS, CopiedMetrics
from settings import sizes, versions
from settings.apps import GATEWAY, PROMETHEUS, PROMETHEUS_RULES
from settings.quantities import quantity_bytes

APP = PROMETHEUS.name
PORT = PROMETHEUS.port
KUBELET_PORT = 10250
_DATA = "/prometheus"


class MonitorsArgs(TypedDict):
    """How the cluster's monitors are read."""

    listed_namespaces: Sequence[str]
    """Namespaces whose monitors may select pods of others."""
    platform_namespaces: Sequence[str]
    """Namespaces whose pods are no targets of monitors."""


class PrometheusArgs(TypedDict):
    """Arguments of Prometheus. Intervals and the retention are Prometheus durations."""

    namespace: pulumi.Input[str]
    """An existing namespace."""
    replicas: int
    retention: str
    storage: str
    """Size of each replica's volume."""
    storage_class: str | None
    """None for the cluster's default."""
    memory: str
    """Request and limit of each replica."""
    scrape_interval: str
    evaluation_interval: str
    cluster: str
    """Value of the label `cluster` on every alert."""
    external_url: str
    """URL at which people open Prometheus; notifications contain it."""
    rule_files: dict[str, str]
    """File name -> YAML."""
    alertmanagers: pulumi.Input[list[str]]
    """host:port of each Alertmanager."""
    remote_write_url: pulumi.Input[str]
    """Receives a copy of the samples; empty for none."""
    copied: NotRequired[CopiedMetrics]
    """Metrics that are copied; all by default."""
    foreign_node_exporter: bool
    """Whether the cluster runs a node_exporter that is neither the platform's nor an EKS add-on."""
    trusted_namespaces: Sequence[str]
    """Namespaces whose pods may expose metrics of nodes and of Kubernetes' objects."""
    eks: NotRequired[bool]
    """Whether to scrape what only clusters on EKS run, see eks_jobs."""
    verify_kubelets: NotRequired[bool]
    """Whether the cluster's CA must have signed the certificates of kubelets; False by default."""
    pod_cidrs: NotRequired[Sequence[str]]
    """Ranges of the addresses of pods, see network_policies.any_pod; none by default."""
    host_ports: Sequence[int]
    """Ports of targets on the nodes' own network."""
    scrape_addons: NotRequired[Sequence[str]]
    """EKS add-ons to scrape, see prometheus_config.ADDONS; none by default."""
    monitors: NotRequired[MonitorsArgs | None]
    """How ServiceMonitors and PodMonitors are read; None, the default, if they are not."""


class Prometheus(pulumi.ComponentResource):
    """The metrics and alerts of a cluster."""

    url: pulumi.Output[str]
    """Address inside the cluster."""
    targets: pulumi.Output[list[str]]
    """host:port of each replica."""

    def __init__(self, name: str, args: PrometheusArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:Prometheus", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        namespace = args["namespace"]
        self.url = pulumi.Output.format("http://{0}.{1}.svc:{2}", APP, namespace, PORT)
        self.targets = peers(APP, args["replicas"], namespace, PORT)
        config = pulumi.Output.all(args["alertmanagers"], args["remote_write_url"]).apply(
            lambda known: _config(args, *known)
        )
        folders: list[pulumi.Resource] = [
            k8s.core.v1.ConfigMap(
                f"{name}-{suffix}",
                metadata={"name": f"{APP}-{suffix}", "namespace": namespace, "labels": labels(APP)},
                data=data,
                opts=child,
            )
            for suffix, data in (("config", {"prometheus.yml": config}), ("rules", args["rule_files"]))
        ]
        monitors = args.get("monitors")
        if monitors:
            folders.append(monitor_reader.config_map(name, namespace, _common(args, monitors), child))
        access = _discovery_rights(name, namespace, child, [monitor_reader.RIGHTS] if monitors else [])
        network_policies.app_network(f"{name}-network", _network(args), child)
        stateful_app(
            name,
            {
                "app": APP,
                "version": versions.PROMETHEUS,
                "namespace": namespace,
                "replicas": args["replicas"],
                "port": PORT,
                "container": _container(args),
                "volumes": [
                    {"name": "config", "config_map": {"name": f"{APP}-config"}},
                    {"name": "rules", "config_map": {"name": f"{APP}-rules"}},
                    *(monitor_reader.volumes() if monitors else ()),
                ],
                "sidecars": [monitor_reader.container()] if monitors else [],
                "annotations": monitor_reader.annotations(name) if monitors else {},
                "storage": args["storage"],
                "storage_class": args["storage_class"],
                "service_account": APP,
                # Prometheus writes its data in memory to disk before it exits.
                "termination_seconds": 300,
            },
            parent=self,
            depends_on=[*folders, access],
        )
        self.register_outputs({"url": self.url, "targets": self.targets})


def _config(args: PrometheusArgs, alertmanagers: list[str], remote_write_url: str) -> str:
    return prometheus_config.render(
        cluster=args["cluster"],
        scrape_interval=args["scrape_interval"],
        evaluation_interval=args["evaluation_interval"],
        alertmanagers=alertmanagers,
        remote_write_url=remote_write_url,
        copied=args.get("copied", ALL_METRICS),
        addons=args.get("scrape_addons", ()),
        foreign_node_exporter=args["foreign_node_exporter"],
        verify_kubelets=args.get("verify_kubelets", False),
        eks=args.get("eks", False),
        target_samples=sizes.target_samples(quantity_bytes(args["memory"])),
        trusted_namespaces=args["trusted_namespaces"],
        monitors=bool(args.get("monitors")),
    )


def _common(args: PrometheusArgs, monitors: MonitorsArgs) -> str:
    return monitor_jobs.render(
        scrape_interval=args["scrape_interval"],
        memory=quantity_bytes(args["memory"]),
        platform_namespaces=monitors["platform_namespaces"],
        listed_namespaces=monitors["listed_namespaces"],
        foreign_node_exporter=args["foreign_node_exporter"],
    )


def _container(args: PrometheusArgs) -> ContainerArgsDict:
    return {
        "name": APP,
        "image": versions.PROMETHEUS_IMAGE,
        "args": [
            f"--config.file={CONFIG_FOLDER}/prometheus.yml",
            # The kubelet updates a changed ConfigMap within about a minute; this adds at most its interval.
            "--config.auto-reload",
            "--config.auto-reload-interval=5s",
            f"--storage.tsdb.path={_DATA}",
            f"--storage.tsdb.retention.time={args['retention']}",
            f"--storage.tsdb.retention.size={int(quantity_bytes(args['storage']) * sizes.PROMETHEUS_USABLE)}B",
            "--storage.tsdb.wal-compression",
            "--enable-feature=exemplar-storage",
            *prometheus_config.FLAGS,
            f"--web.listen-address=:{PORT}",
            f"--web.external-url={args['external_url']}",
            # The external URL may have a path, but probes, scrapes and other programs use the root.
            "--web.route-prefix=/",
        ],
        "env": [{"name": "POD_NAME", "value_from": {"field_ref": {"field_path": "metadata.name"}}}],
        "ports": [{"name": "http", "container_port": PORT, "protocol": "TCP"}],
        "resources": pods.resources(cores=sizes.CPU[APP], memory=args["memory"]),
        # Replaying a large write-ahead log takes minutes. Kubernetes gives up after a quarter of an hour.
        "startup_probe": pods.http_probe("/-/ready", "http", failures=180),
        "liveness_probe": pods.http_probe("/-/healthy", "http", failures=6),
        "readiness_probe": pods.http_probe("/-/ready", "http"),
        "volume_mounts": [
            {"name": "config", "mount_path": CONFIG_FOLDER, "read_only": True},
            {"name": "rules", "mount_path": PROMETHEUS_RULES, "read_only": True},
            {"name": "data", "mount_path": _DATA},
            *([monitor_reader.MOUNT] if args.get("monitors") else []),
        ],
    }


def _discovery_rights(
    name: str, namespace: pulumi.Input[str], child: pulumi.ResourceOptions, more: Sequence[PolicyRuleArgsDict]
) -> pulumi.Resource:
    """Permission to discover targets and to read Kubernetes' own metrics, cluster-wide because discovery is."""
    return cluster_rights(
        name,
        f"{name}-discovery",
        app=APP,
        namespace=namespace,
        rules=[
            {"api_groups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]},
            {"api_groups": [""], "resources": ["nodes"], "verbs": ["list", "watch"]},
            # The API servers' addresses.
            {"api_groups": [""], "resources": ["services"], "verbs": ["list", "watch"]},
            {"api_groups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
            {"non_resource_urls": ["/metrics"], "verbs": ["get"]},
            # The kubelet requires this for its /metrics. nodes/proxy would permit running commands in pods.
            {"api_groups": [""], "resources": ["nodes/metrics"], "verbs": ["get"]},
            *more,
        ],
        child=child,
    )


def _network(args: PrometheusArgs) -> network_policies.AppNetworkArgs:
    here = network_policies.app_here
    # Add-ons may use the host network, whose addresses no pod selector matches.
    addons = [prometheus_config.ADDONS[addon].port for addon in args.get("scrape_addons", ())]
    addons += [eks_jobs.NETWORK_PORT] if args.get("eks") else []
    return {
        "app": APP,
        "namespace": args["namespace"],
        "ingress": [
            {
                # Jaeger reads span metrics for its page on service performance. Gateways deliver pushed metrics.
                "from_": [
                    *(here(app) for app in (APP, "grafana", "jaeger", GATEWAY)),
                    network_policies.namespaces_with(CONTROL),
                ],
                "ports": network_policies.tcp(PORT),
            }
        ],
        "egress": [
            # Targets may be any pod on any port, including Alertmanager.
            {"to": network_policies.any_pod(args.get("pod_cidrs", ()))},
            # The API server, the kubelets, and pods on the host network. No selector can name their addresses.
            {"ports": network_policies.tcp(*dict.fromkeys((443, 6443, KUBELET_PORT, *addons, *args["host_ports"])))},
        ],
    }
