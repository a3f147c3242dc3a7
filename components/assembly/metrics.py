"""Creates a stack's components for metrics and alerts from the settings."""

import pulumi

from alerting import routing
from components.assembly.backends import Backends
from components.eks.workspace.workspace_proxy import APP as WORKSPACE_PROXY
from components.eks.workspace.workspace_proxy import WorkspaceProxy
from components.metrics.alertmanager import Alertmanager
from components.metrics.kube_state_metrics import KubeStateMetrics
from components.metrics.node_exporter import NodeExporter
from components.metrics.prometheus import APP as PROMETHEUS
from components.metrics.prometheus import MonitorsArgs, Prometheus
from components.metrics.prometheus_config import ADDONS
from components.metrics.remote_write import CopiedMetrics
from settings import channel_secrets
from settings.stack import Settings


def alertmanager(settings: Settings, namespace: pulumi.Output[str], opts: pulumi.ResourceOptions) -> Alertmanager:
    """Alertmanager with the stack's channels and routes."""
    values = settings.values
    addresses = {key: secret.get_secret_value() for key, secret in settings.secrets.items()}
    config = routing.render(
        settings.routing,
        settings.values.timing,
        addresses,
        mail=settings.mail,
        pagerduty_url=values.pagerduty_url,
        mute_windows=values.mute_windows,
        by_proxy=bool(values.proxy_url),
    )
    return Alertmanager(
        "alertmanager",
        {
            "namespace": namespace,
            "image": settings.alertmanager_image,
            "replicas": values.alertmanager_replicas,
            "storage": values.alertmanager_storage,
            "storage_class": settings.storage_class,
            "external_url": values.alertmanager_url,
            "group_interval": values.group_interval,
            "files": pulumi.Output.secret({"alertmanager.yml": config, routing.TEMPLATES: routing.message_templates()}),
            "smtp_port": channel_secrets.smtp_port(values.smtp_smarthost),
            "prometheus": PROMETHEUS,
        },
        opts,
    )


def workspace_proxy(
    namespace: pulumi.Output[str], backends: Backends, opts: pulumi.ResourceOptions
) -> WorkspaceProxy | None:
    """The way to Amazon Managed Prometheus; None if samples do not go there."""
    if not backends.workspace_region:
        return None
    return WorkspaceProxy(
        "workspace-proxy",
        {
            "namespace": namespace,
            "remote_write_url": backends.remote_write_url,
            "aws_region": backends.workspace_region,
            "identity": backends.identities.get(WORKSPACE_PROXY),
        },
        opts,
    )


def prometheus(
    settings: Settings,
    namespace: pulumi.Output[str],
    alertmanagers: pulumi.Output[list[str]],
    remote_write_url: pulumi.Input[str],
    opts: pulumi.ResourceOptions,
) -> Prometheus:
    """Prometheus with the stack's rules. It sends alerts to `alertmanagers`, and copies samples to the URL, if any."""
    values, speaking = settings.values, settings.speaking_namespaces
    addons = [name for name in ADDONS if values.eks_addons.get(name, "off") != "off"]
    monitors: MonitorsArgs = {
        "listed_namespaces": values.monitor_namespaces,
        "platform_namespaces": speaking.platform,
    }
    return Prometheus(
        "prometheus",
        {
            "namespace": namespace,
            "replicas": values.prometheus_replicas,
            "retention": values.prometheus_retention,
            "storage": values.prometheus_storage,
            "storage_class": settings.storage_class,
            "memory": values.prometheus_memory,
            "scrape_interval": values.scrape_interval,
            "evaluation_interval": values.evaluation_interval,
            "cluster": values.cluster_name,
            "external_url": values.prometheus_url,
            "rule_files": settings.rule_files(),
            "alertmanagers": alertmanagers,
            "remote_write_url": remote_write_url,
            "copied": CopiedMetrics(keep=values.remote_write_keep, drop=values.remote_write_drop),
            "scrape_addons": addons,
            "foreign_node_exporter": not (values.node_exporter or "prometheus-node-exporter" in addons),
            "trusted_namespaces": [*speaking.platform, *speaking.drills],
            "pod_cidrs": settings.pod_cidrs,
            "verify_kubelets": values.verify_kubelets,
            "eks": values.cloud == "eks",
            "host_ports": values.scrape_host_ports,
            "monitors": monitors if values.monitors else None,
        },
        opts,
    )


def cluster_state(settings: Settings, namespace: pulumi.Output[str], opts: pulumi.ResourceOptions) -> None:
    """kube-state-metrics, unless kubeStateMetrics is false."""
    if settings.values.kube_state_metrics:
        KubeStateMetrics(
            "kube-state-metrics",
            {"namespace": namespace, "memory": settings.values.kube_state_metrics_memory, "prometheus": PROMETHEUS},
            opts,
        )


def node_state(settings: Settings, namespace: pulumi.Output[str], opts: pulumi.ResourceOptions) -> None:
    """node_exporter in the namespace of the node agents, unless nodeExporter is false."""
    if settings.values.node_exporter:
        NodeExporter(
            "node-exporter",
            {
                "namespace": namespace,
                "prometheus_namespace": settings.values.namespace,
                "prometheus": PROMETHEUS,
            },
            opts,
        )
