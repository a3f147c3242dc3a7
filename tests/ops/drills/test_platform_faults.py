"""Platform faults with a fake cluster: they change what they should, and leave no change behind."""

from typing import Any, cast

import pytest

from ops.clients.cluster_api import ClusterApi
from ops.clients.signals import Prometheus, Receiver
from ops.drills.faults import REAL, Sources
from ops.drills.platform_faults import PlatformFaults
from ops.errors import OpsError

SIMULATED_APPS = ("api", "speccursor", "sploot-cluster")
CRASHING = {"containerStatuses": [{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}


class Within:
    """The fake cluster, seen from another namespace."""

    def __init__(self, cluster: "Cluster", namespace: str) -> None:
        self._cluster = cluster
        self.namespace = namespace

    def __getattr__(self, name: str) -> object:
        return getattr(self._cluster, name)


class Cluster:
    """A fake cluster that applies every change at once."""

    def __init__(self, *, grafana: bool = True) -> None:
        self.wanted = {("StatefulSet", "loki"): 2, **{("Deployment", name): 1 for name in SIMULATED_APPS}}
        self.wanted |= {("Deployment", "grafana"): 1} if grafana else {}
        self.config: dict[str, str] = {}
        self.created: dict[str, dict[str, Any]] = {}
        self.status: dict[str, Any] = {"phase": "Running", **CRASHING}
        self.namespace = "observability"
        self.before: dict[tuple[str, str], int] = {}
        self.failures = 0
        """How many of the next changes are refused."""

    def within(self, namespace: str) -> Within:
        return Within(self, namespace)

    def replicas(self, kind: str, name: str) -> int | None:
        return self.wanted.get((kind, name))

    def replicas_before(self, kind: str, name: str) -> int | None:
        return self.before.get((kind, name))

    def scale(self, kind: str, name: str, replicas: int, *, before: int | None) -> None:
        self._may_fail()
        self.wanted[kind, name] = replicas
        if before is None:
            self.before.pop((kind, name), None)
        else:
            self.before[kind, name] = before

    def _may_fail(self) -> None:
        if self.failures:
            self.failures -= 1
            raise OpsError("the API server says 500")

    def config_map(self, name: str) -> dict[str, str]:
        assert name == "prometheus-rules"
        return dict(self.config)

    def pods(self, app: str) -> list[dict[str, Any]]:
        count = sum(number for (_, name), number in self.wanted.items() if name == app)
        return [{"status": self.status}] * (count + (app in self.created))

    def create_pod(self, name: str, *, script: str, annotations: dict[str, str]) -> None:
        self.created[name] = {"script": script, "annotations": annotations}

    def delete_pod(self, name: str) -> None:
        self._may_fail()
        self.created.pop(name, None)

    def patch_config_map(self, name: str, data: dict[str, str | None]) -> None:
        assert name == "prometheus-rules"
        self._may_fail()
        for key, text in data.items():
            if text is None:
                self.config.pop(key, None)
            else:
                self.config[key] = text


class Metrics:
    """A fake Prometheus that has a result for every query, or for none."""

    def __init__(self, *, sees: bool = True) -> None:
        self.sees = sees

    def query(self, expression: str) -> list[dict[str, Any]]:
        assert expression
        return [{}] if self.sees else []


class Refusing:
    """A fake receiver that records how many notifications it was asked to refuse."""

    def __init__(self) -> None:
        self.refusals: list[int] = []

    def fail_next(self, count: int) -> None:
        self.refusals.append(count)


def faults(cluster: Cluster, *, sees: bool = True, receiver: Refusing | None = None) -> PlatformFaults:
    prometheus = cast(Prometheus, Metrics(sees=sees))
    api = cast(ClusterApi, cluster)
    refusing = cast(Receiver, receiver or Refusing())
    return PlatformFaults(api, prometheus, refusing, patience=0.05, retry=0.05, pause=0.01)


def state(cluster: Cluster) -> tuple[dict[Any, Any], dict[str, str], list[str], dict[Any, Any]]:
    return dict(cluster.wanted), dict(cluster.config), list(cluster.created), dict(cluster.before)


def test_the_list_of_platform_faults_needs_no_cluster() -> None:
    assert {fault["alert"] for fault in faults(Cluster()).faults()} == set(REAL)


@pytest.mark.parametrize("alert", [fault["alert"] for fault in faults(Cluster()).faults()])
def test_a_fault_changes_something_and_leaves_no_change_behind(alert: str) -> None:
    cluster, receiver = Cluster(), Refusing()
    before = state(cluster)
    source = faults(cluster, receiver=receiver)
    assert source.switch_on(alert, seconds=60) > 0
    assert state(cluster) != before or receiver.refusals == [300, 0]
    source.switch_off(alert)
    assert state(cluster) == before
    assert source.end_all() == {}
    source.switch_off(alert)  # a second time does no harm


@pytest.mark.parametrize(
    "alert", ["PrometheusConfigReloadFailed", "PrometheusRuleFailures", "AlertmanagerNotificationsFailing"]
)
def test_a_fault_that_does_not_take_effect_is_undone_and_an_error(alert: str) -> None:
    cluster, receiver = Cluster(), Refusing()
    before = state(cluster)
    with pytest.raises(OpsError, match="not in place"):
        faults(cluster, sees=False, receiver=receiver).switch_on(alert, seconds=60)
    assert state(cluster) == before
    assert receiver.refusals in ([], [300, 0])


def test_a_pod_that_never_runs_is_removed_again() -> None:
    cluster = Cluster()
    cluster.status = {"phase": "Pending"}
    for alert in ("TargetDown", "PodCrashLooping"):
        with pytest.raises(OpsError, match="not in place"):
            faults(cluster).switch_on(alert, seconds=60)
    assert cluster.created == {}


def test_a_part_that_does_not_run_has_no_fault() -> None:
    source = faults(Cluster(grafana=False))
    assert source.absent() == {"GrafanaDown": "this stack runs no grafana"}
    assert "GrafanaDown" not in {fault["alert"] for fault in source.faults()}


def test_a_workload_scaled_to_zero_gets_its_former_replicas_back() -> None:
    cluster = Cluster()
    source = faults(cluster)
    source.switch_on("LokiIngestionStopped", seconds=60)
    assert cluster.wanted["StatefulSet", "loki"] == 0
    source.switch_off("LokiIngestionStopped")
    assert cluster.wanted["StatefulSet", "loki"] == 2


def test_a_simulated_program_that_is_scaled_to_zero_is_repaired_in_its_namespace() -> None:
    cluster = Cluster()
    source = faults(cluster)
    source.switch_on("MediaClusterDown", seconds=60)
    assert cluster.wanted["Deployment", "sploot-cluster"] == 0
    cluster.failures = 10_000
    assert source.end_all() == {"MediaClusterDown": "kubectl -n media scale deployment/sploot-cluster --replicas=1"}


def test_sources_choose_the_one_that_has_the_fault() -> None:
    cluster = Cluster()
    both = Sources(faults(cluster, sees=False), faults(Cluster()))
    both.switch_on("TargetDown", seconds=60)
    assert list(cluster.created) == ["fire-alerts-target"]
    both.switch_off("TargetDown")
    with pytest.raises(OpsError, match="this drill cannot cause Nope"):
        both.switch_off("Nope")


CHANGING = {
    **dict.fromkeys(("TargetDown", "GrafanaDown", "LokiIngestionStopped"), "observability"),
    **dict.fromkeys(("PrometheusConfigReloadFailed", "PrometheusRuleFailures"), "observability"),
    "MediaClusterDown": "media",
}
"""Maps alerts to the namespace that their fault changes."""


@pytest.mark.parametrize("alert", CHANGING)
def test_a_restore_that_fails_once_is_repeated(alert: str) -> None:
    cluster = Cluster()
    before = state(cluster)
    source = faults(cluster)
    source.switch_on(alert, seconds=60)
    cluster.failures = 1
    source.switch_off(alert)
    assert state(cluster) == before


@pytest.mark.parametrize("alert", CHANGING)
def test_a_restore_that_keeps_failing_names_the_repair_and_is_tried_again(alert: str) -> None:
    cluster = Cluster()
    before = state(cluster)
    source = faults(cluster)
    source.switch_on(alert, seconds=60)
    cluster.failures = 10_000
    repair = f"kubectl -n {CHANGING[alert]} "
    with pytest.raises(OpsError, match=f"is not repaired: the API server says 500; to repair: {repair}"):
        source.switch_off(alert)
    left = source.end_all()
    assert list(left) == [alert]
    assert left[alert].startswith(repair)
    cluster.failures = 0
    assert source.end_all() == {}
    assert state(cluster) == before


def test_the_repair_of_a_workload_names_its_replicas() -> None:
    cluster = Cluster()
    source = faults(cluster)
    source.switch_on("LokiIngestionStopped", seconds=60)
    cluster.failures = 10_000
    assert source.end_all() == {
        "LokiIngestionStopped": "kubectl -n observability scale statefulset/loki --replicas=2",
    }


def test_a_fault_that_fails_and_cannot_be_undone_counts_as_on() -> None:
    cluster = Cluster()
    source = faults(cluster, sees=False)
    patch = cluster.patch_config_map

    def once(name: str, data: dict[str, str | None]) -> None:
        patch(name, data)
        cluster.patch_config_map = patch
        cluster.failures = 10_000

    cluster.patch_config_map = once
    with pytest.raises(OpsError, match="not in place"):
        source.switch_on("PrometheusRuleFailures", seconds=60)
    assert list(source.end_all()) == ["PrometheusRuleFailures"]
    cluster.failures = 0
    assert source.end_all() == {}
    assert cluster.config == {}


def test_an_interrupt_during_switch_on_undoes_the_fault() -> None:
    cluster = Cluster()
    before = state(cluster)
    prometheus = Metrics()

    def interrupt(expression: str) -> list[dict[str, Any]]:
        raise KeyboardInterrupt(expression)

    prometheus.query = interrupt
    source = PlatformFaults(
        cast(ClusterApi, cluster), cast(Prometheus, prometheus), cast(Receiver, Refusing()), patience=1, pause=0.01
    )
    with pytest.raises(KeyboardInterrupt):
        source.switch_on("PrometheusRuleFailures", seconds=60)
    assert state(cluster) == before


def test_the_next_drill_ends_the_faults_of_a_killed_drill() -> None:
    cluster, receiver = Cluster(), Refusing()
    before = state(cluster)
    killed = faults(cluster)
    for alert in ("TargetDown", "PodCrashLooping", "GrafanaDown", "LokiIngestionStopped", "PrometheusRuleFailures"):
        killed.switch_on(alert, seconds=60)
    following = faults(cluster, receiver=receiver)
    assert following.absent() != {}  # faults that are still on look like parts that do not run
    assert following.recover() == [
        "pod fire-alerts-target",
        "pod fire-alerts-crash",
        "Deployment grafana",
        "StatefulSet loki",
        "fire-alerts.yaml in ConfigMap prometheus-rules",
    ]
    assert state(cluster) == before
    assert receiver.refusals == [0]
    assert following.absent() == {}
    assert following.recover() == []


def test_a_workload_that_somebody_scaled_to_zero_is_reported_as_such() -> None:
    cluster = Cluster()
    cluster.wanted["StatefulSet", "loki"] = 0
    assert faults(cluster).absent() == {"LokiIngestionStopped": "StatefulSet loki is already scaled to 0"}
