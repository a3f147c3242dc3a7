"""A name is a promise: renaming a resource replaces it. Change this list only together with an alias or a plan."""

from collections.abc import Callable

from tests.mock_engine import Recorded

# fmt: off
PLATFORM = [
    "cluster",
    "platform", "platform-namespace", "platform-default-deny",
    "alertmanager", "alertmanager-config", "alertmanager-network", "alertmanager-service", "alertmanager-peers",
    "alertmanager-statefulset", "alertmanager-budget",
    "prometheus", "prometheus-config", "prometheus-rules", "prometheus-account", "prometheus-discovery",
    "prometheus-discovery-binding", "prometheus-network", "prometheus-service", "prometheus-peers",
    "prometheus-statefulset", "prometheus-budget",
    "workers", "workers-jq-worker",
]
SIMULATED = [
    "job-queue", "job-queue-namespace", "job-queue-default-deny",
    "simulator", "simulator-server-network", "simulator-server-service", "simulator-server-deployment",
    "simulator-worker-network", "simulator-worker-deployment",
    "receiver", "receiver-namespace", "receiver-default-deny",
    "notifications", "notifications-network", "notifications-service", "notifications-deployment",
]
# fmt: on
EXPORTS = {"endpoints", "alerts", "timing"}


def test_logical_names_of_production(program: Callable[..., Recorded]) -> None:
    recorded = program("production")
    assert sorted(one.name for one in recorded.resources) == sorted(PLATFORM)
    assert set(recorded.exports) == EXPORTS


def test_logical_names_with_the_simulator(program: Callable[..., Recorded]) -> None:
    recorded = program("local")
    assert sorted(one.name for one in recorded.resources) == sorted(PLATFORM + SIMULATED)
    assert set(recorded.exports) == EXPORTS


def test_types_of_components(program: Callable[..., Recorded]) -> None:
    assert {one.type for one in program("local").resources if not one.custom} == {
        f"observability:index:{noun}"
        for noun in ("Alertmanager", "DisruptionBudgets", "Namespace", "Prometheus", "Receiver", "Simulator")
    }
