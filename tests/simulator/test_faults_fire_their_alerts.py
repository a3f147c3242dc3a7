"""Each fault fires only its own alert, as early as possible, and the alert resolves in time.

The simulator runs under a clock that the test moves. The samples of its pods become promtool's input series, and
promtool evaluates the real rules. For alerts on log lines see tests/rules/loki.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from alerting.loader import load
from tests.simulator.pods import (
    STEP,
    Pod,
    Pods,
    api_pods,
    job_queue_pods,
    media_pods,
    platform_pods,
    speccursor_pods,
)
from tests.simulator.scenarios import ALONG, EMPTY, check, firing, first_firing

pytestmark = pytest.mark.usefixtures("unlogged")
ON = 600
"""Second at which a fault is switched on, just after a scrape."""
# This alert compares with its own history, and the fault must be the smaller part of that.
LATER = {"SpecCursorUpgradeFailureRateAnomalous": 1800}
# A drill causes these in the cluster (ops/drills/platform_faults.py), except for Watchdog, which always fires.
REAL = {
    "AlertmanagerNotificationsFailing",
    "ApiServiceDown",
    "GrafanaDown",
    "LokiIngestionStopped",
    "MediaClusterDown",
    "PodCrashLooping",
    "PrometheusConfigReloadFailed",
    "PrometheusRuleFailures",
    "SpecCursorServiceDown",
    "TargetDown",
    "Watchdog",
}
# This alert has a test of its own.
HOURLY = "AlertsOnMissingMetrics"
SYSTEMS: dict[str, Callable[..., list[Pod]]] = {
    "job-queue": job_queue_pods,
    "speccursor": speccursor_pods,
    "media": media_pods,
    "platform": platform_pods,
}
LOGS = {alert for alert, rule in load().rules().items() if rule.engine == "loki"}


def alerts_of(pods: Pods) -> list[str]:
    """Prometheus alerts that the faults of these pods fire."""
    return [fault.alert for fault in pods.faults() if fault.alert and fault.alert not in LOGS]


CASES = [(system, alert) for system, make in SYSTEMS.items() for alert in alerts_of(Pods(make)) if alert != HOURLY]
API = ("ApiErrorRateHigh", "ApiLatencyHigh")


def scenario(pods: Pods, alert: str) -> list[dict[str, object]]:
    """Switches a fault on and off; gives the alerts that must fire at each second."""
    along = ALONG.get(alert, ())
    on = LATER.get(alert, ON)
    pods.run_until(on)
    pods.switch_on(alert)
    fires = first_firing(alert, on)
    off = fires + 60
    pods.run_until(off)
    pods.switch_off(alert)
    # Slow rules are evaluated rarely, and their last value counts until the next evaluation.
    resolved = off + EMPTY.get(alert, 300) + STEP
    pods.run_until(resolved)
    return [
        firing(on, []),
        firing(fires - STEP, [], but=along),
        firing(fires, [alert], but=along),
        firing(off, [alert], but=along),
        firing(resolved, []),
    ]


def test_every_alert_has_a_fault() -> None:
    faults = {alert for _, alert in CASES} | LOGS | set(API) | {HOURLY}
    assert faults | REAL == set(load().rules())
    assert not faults & REAL


@pytest.mark.parametrize(("system", "alert"), CASES, ids=[alert for _, alert in CASES])
def test_a_fault_fires_its_alert_alone_and_resolves(tmp_path: Path, system: str, alert: str) -> None:
    pods = Pods(SYSTEMS[system], busy=alert == "SpecCursorOperationSlow")
    check(tmp_path, system, [(pods, scenario(pods, alert))])


@pytest.mark.parametrize("alert", API)
def test_a_fault_of_the_api_fires_its_alert_alone_and_resolves(
    tmp_path: Path, alert: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pods = Pods(api_pods(monkeypatch))
    check(tmp_path, "api", [(pods, scenario(pods, alert))])


def test_a_metric_that_is_missing_for_an_hour_fires_its_alert(tmp_path: Path) -> None:
    pods = Pods(job_queue_pods)
    check(tmp_path, "job-queue", [(pods, scenario(pods, HOURLY))])


@pytest.mark.parametrize(
    ("system", "alert"),
    [
        ("job-queue", "JobQueueDepthHigh"),
        ("job-queue", "JobQueueNoWorkers"),
        ("media", "DatabasePoolExhausted"),
        ("media", "OpenSearchClusterRed"),
        ("media", "MediaUploadFailureRateHigh"),
        ("media", "MediaClusterBacklogCritical"),
        ("media", "MediaClusterJobsStalled"),
        ("speccursor", "SpecCursorProofFailureRateHigh"),
        ("speccursor", "SpecCursorUpgradeFailureRateAnomalous"),
    ],
)
def test_a_level_and_a_diluted_ratio_resolve_with_the_next_scrape(tmp_path: Path, system: str, alert: str) -> None:
    pods = Pods(SYSTEMS[system])
    on = LATER.get(alert, ON)
    pods.run_until(on)
    pods.switch_on(alert)
    off = first_firing(alert, on)
    pods.run_until(off)
    pods.switch_off(alert)
    pods.run_until(off + STEP)
    along = ALONG.get(alert, ())

    check(tmp_path, system, [(pods, [firing(off, [alert], but=along), firing(off + STEP, [])])])
