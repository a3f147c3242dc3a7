"""A name is a promise: renaming a resource replaces it. Change this list only together with an alias or a plan."""

from collections.abc import Callable

from components import dashboard_files, data_sources
from rules import loader
from tests.mock_engine import Recorded

# fmt: off
PLATFORM = [
    "cluster",
    "platform", "platform-default-deny", "platform-namespace",
    "agents", "agents-default-deny", "agents-namespace",
    "alertmanager", "alertmanager-budget", "alertmanager-config", "alertmanager-network", "alertmanager-peers",
    "alertmanager-service", "alertmanager-statefulset",
    "prometheus", "prometheus-account", "prometheus-budget", "prometheus-config", "prometheus-discovery",
    "prometheus-discovery-binding", "prometheus-network", "prometheus-peers", "prometheus-rules",
    "prometheus-service", "prometheus-statefulset",
    "kube-state-metrics", "kube-state-metrics-account", "kube-state-metrics-deployment",
    "kube-state-metrics-network", "kube-state-metrics-reader", "kube-state-metrics-reader-binding",
    "loki", "loki-budget", "loki-config", "loki-network", "loki-peers", "loki-rules", "loki-service",
    "loki-statefulset",
    "jaeger", "jaeger-budget", "jaeger-config", "jaeger-network", "jaeger-peers", "jaeger-service",
    "jaeger-statefulset",
    "gateway", "gateway-budget", "gateway-config", "gateway-network", "gateway-peers", "gateway-service",
    "gateway-statefulset",
    "agent", "agent-account", "agent-config", "agent-daemonset", "agent-network", "agent-pods",
    "agent-pods-binding", "agent-service",
    "grafana", "grafana-admin", "grafana-api", "grafana-config", "grafana-data", "grafana-deployment",
    "grafana-network", "grafana-service",
    "data-sources", "data-sources-alertmanager", "data-sources-jaeger", "data-sources-loki",
    "data-sources-prometheus",
    "node-exporter", "node-exporter-daemonset", "node-exporter-network",
    "dashboards", "dashboards-api", "dashboards-api-observability", "dashboards-job-queue",
    "dashboards-job-queue-overview", "dashboards-platform", "dashboards-platform-alerting",
    "dashboards-platform-overview", "dashboards-platform-slos",
    "dashboards-speccursor", "dashboards-speccursor-ai", "dashboards-speccursor-infrastructure",
    "dashboards-speccursor-proofs", "dashboards-speccursor-security", "dashboards-speccursor-system",
    "dashboards-speccursor-upgrades",
    "dashboards-media-upload", "dashboards-media-gateway", "dashboards-media-gateway-security",
    "dashboards-media-infrastructure", "dashboards-media-overview", "dashboards-media-uploads",
    "dashboards-media-variants",
    "dashboards-media-clustering", "dashboards-media-cluster-observability",
    "contact-points", "contact-points-dead-mans-switch", "contact-points-job-queue-slack",
    "contact-points-job-queue-webhook", "contact-points-media-clustering-pagerduty",
    "contact-points-media-clustering-slack", "contact-points-media-email", "contact-points-media-slack",
    "contact-points-oncall-pagerduty", "contact-points-platform-slack", "contact-points-policy",
    "contact-points-speccursor-email", "contact-points-speccursor-pagerduty", "contact-points-speccursor-slack",
    "contact-points-speccursor-webhook",
    "workers", "workers-jq-worker", "workers-rust-worker", "workers-sploot-cluster", "workers-variant-generator",
]
# The times in which alerts are not told; the local stack is drilled at any hour.
MUTED = ["contact-points-mute-nights", "contact-points-mute-weekends"]
# Where Loki keeps its lines in S3: the identity that may.
S3 = ["loki-account"]
SIMULATED = [
    "job-queue", "job-queue-default-deny", "job-queue-namespace",
    "speccursor", "speccursor-default-deny", "speccursor-namespace",
    "api", "api-default-deny", "api-namespace",
    "media", "media-default-deny", "media-namespace",
    "platform-faults", "platform-faults-default-deny", "platform-faults-namespace",
    "simulator", "simulator-api", "simulator-api-deployment", "simulator-api-network", "simulator-api-service",
    "simulator-media-clustering", "simulator-media-clustering-deployment", "simulator-media-clustering-network",
    "simulator-media-clustering-service",
    "simulator-media-upload", "simulator-media-upload-deployment", "simulator-media-upload-network",
    "simulator-media-upload-service",
    "simulator-platform-faults", "simulator-platform-faults-deployment", "simulator-platform-faults-network",
    "simulator-platform-faults-service",
    "simulator-server-deployment", "simulator-server-network", "simulator-server-service", "simulator-speccursor",
    "simulator-speccursor-deployment", "simulator-speccursor-network", "simulator-speccursor-service",
    "simulator-worker-deployment", "simulator-worker-network",
    "receiver", "receiver-default-deny", "receiver-namespace",
    "notifications", "notifications-deployment", "notifications-network", "notifications-service",
]
# fmt: on
EXPORTS = {"endpoints", "alerts", "timing"}


def of_later_systems() -> set[str]:
    """Names that follow from the files of systems that the list does not have."""
    later = {name: one for name, one in loader.load().systems.items() if f"dashboards-{name}" not in PLATFORM}
    shown = [one.uid for one in dashboard_files.load(data_sources.UIDS) if one.system in later]
    brought = [f"contact-points-{channel}" for one in later.values() for channel in one.channels]
    budgets = [f"workers-{budget}" for one in later.values() for budget in one.disruption_budgets]
    return {*(f"dashboards-{name}" for name in (*later, *shown)), *brought, *budgets}


def names(recorded: Recorded) -> list[str]:
    later = of_later_systems()
    return sorted(one.name for one in recorded.resources if one.name not in later)


def test_logical_names_of_production(program: Callable[..., Recorded]) -> None:
    recorded = program("production")
    assert names(recorded) == sorted(PLATFORM + S3 + MUTED)
    assert set(recorded.exports) == EXPORTS


def test_logical_names_with_the_simulator(program: Callable[..., Recorded]) -> None:
    recorded = program("local")
    assert names(recorded) == sorted(PLATFORM + SIMULATED)
    assert set(recorded.exports) == EXPORTS


def test_types_of_components(program: Callable[..., Recorded]) -> None:
    assert {one.type for one in program("local").resources if not one.custom} == {
        f"observability:index:{noun}"
        for noun in (
            "Alertmanager",
            "CollectorAgent",
            "CollectorGateway",
            "ContactPoints",
            "Dashboards",
            "DataSources",
            "DisruptionBudgets",
            "Grafana",
            "Jaeger",
            "KubeStateMetrics",
            "Loki",
            "Namespace",
            "NodeExporter",
            "Prometheus",
            "Receiver",
            "Simulator",
        )
    }
