"""A name is a promise: renaming a resource replaces it. Change this list only together with an alias or a plan."""

from collections.abc import Callable

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
    "dashboards", "dashboards-api", "dashboards-api-observability", "dashboards-job-queue",
    "dashboards-job-queue-overview", "dashboards-platform", "dashboards-platform-alerting",
    "dashboards-platform-overview",
    "contact-points", "contact-points-dead-mans-switch", "contact-points-job-queue-slack",
    "contact-points-job-queue-webhook", "contact-points-platform-slack", "contact-points-policy",
    "contact-points-speccursor-slack",
    "workers", "workers-jq-worker",
]
# Where Loki keeps its lines in S3: the identity that may.
S3 = ["loki-account"]
SIMULATED = [
    "job-queue", "job-queue-default-deny", "job-queue-namespace",
    "speccursor", "speccursor-default-deny", "speccursor-namespace",
    "api", "api-default-deny", "api-namespace",
    "simulator", "simulator-api", "simulator-api-deployment", "simulator-api-network", "simulator-api-service",
    "simulator-server-deployment", "simulator-server-network", "simulator-server-service", "simulator-speccursor",
    "simulator-speccursor-deployment", "simulator-speccursor-network", "simulator-speccursor-service",
    "simulator-worker-deployment", "simulator-worker-network",
    "receiver", "receiver-default-deny", "receiver-namespace",
    "notifications", "notifications-deployment", "notifications-network", "notifications-service",
]
# fmt: on
EXPORTS = {"endpoints", "alerts", "timing"}


def test_logical_names_of_production(program: Callable[..., Recorded]) -> None:
    recorded = program("production")
    assert sorted(one.name for one in recorded.resources) == sorted(PLATFORM + S3)
    assert set(recorded.exports) == EXPORTS


def test_logical_names_with_the_simulator(program: Callable[..., Recorded]) -> None:
    recorded = program("local")
    assert sorted(one.name for one in recorded.resources) == sorted(PLATFORM + SIMULATED)
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
            "Prometheus",
            "Receiver",
            "Simulator",
        )
    }
