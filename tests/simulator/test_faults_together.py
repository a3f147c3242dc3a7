"""Repeated faults, all faults at once, and no faults, evaluated with the real rules by promtool."""

from pathlib import Path

import pytest
from _pytest.mark.structures import ParameterSet

from tests.simulator.pods import STEP, Pods, api_pods
from tests.simulator.scenarios import ALONG, EMPTY, LATE, RULES, check, firing, first_firing, hold
from tests.simulator.test_faults_fire_their_alerts import CASES, HOURLY, LATER, ON, SYSTEMS, alerts_of

pytestmark = pytest.mark.usefixtures("unlogged")
ONCE = {
    "SpecCursorTokenUsageHigh",  # its window of an hour still contains the fault before
    "SpecCursorUpgradeFailureRateAnomalous",  # a fault that lasts for half of the history counts as normal
    # Budgets and stalls take long. Budgets have their own test with three repetitions.
    "MediaClusterJobsStalled",
    "MediaUploadAvailabilityBudgetBurnFast",
    "MediaUploadAvailabilityBudgetBurnSlow",
    "MediaGatewayLatencyBudgetBurnFast",
    "MediaGatewayLatencyBudgetBurnSlow",
}
AGAIN = [(system, alert) for system, alert in CASES if alert not in ONCE and system in ("job-queue", "media")]
BUDGETS = [case for case in CASES if "BudgetBurn" in case[1]]
EVERY_TIME = {"JobQueueFailureRateHigh", "MediaUploadFailureRateHigh", "MediaUploadAvailabilityBudgetBurnFast"}
"""Alerts on a rate, a ratio and a budget, which are tested in every run; the nightly run tests all of them."""


def cases(chosen: list[tuple[str, str]]) -> list[ParameterSet]:
    """These systems and alerts as cases of a test."""
    return [
        pytest.param(system, alert, id=alert, marks=() if alert in EVERY_TIME else pytest.mark.nightly)
        for system, alert in chosen
    ]


def repeated(alert: str, pods: Pods, times: int) -> list[dict[str, object]]:
    """Repeats a drill, each time as soon as the alert's window no longer contains the fault before."""
    expectations: list[dict[str, object]] = []
    along = ALONG.get(alert, ())
    for _ in range(times):
        pods.run_until(pods.now + EMPTY.get(alert, 300) + 2 * STEP)
        expectations.append(firing(pods.now, []))
        pods.switch_on(alert)
        pods.run_until(first_firing(alert, pods.now))
        expectations.append(firing(pods.now, [alert], but=along))
        pods.switch_off(alert)
    return expectations


@pytest.mark.parametrize(("system", "alert"), cases(AGAIN))
def test_a_drill_can_be_repeated_all_day(tmp_path: Path, system: str, alert: str) -> None:
    """Earlier faults must not make a fault too weak. The window of an alert that reads an hour holds eight drills."""
    pods = Pods(SYSTEMS[system])
    check(tmp_path, system, [(pods, repeated(alert, pods, 8 if "[1h]" in RULES[alert].expr else 3))])


@pytest.mark.parametrize(("system", "alert"), cases(BUDGETS))
def test_a_budget_can_be_burnt_again(tmp_path: Path, system: str, alert: str) -> None:
    pods = Pods(SYSTEMS[system])
    check(tmp_path, system, [(pods, repeated(alert, pods, 3))])


@pytest.mark.nightly
def test_budget_alerts_fire_one_after_another(tmp_path: Path) -> None:
    """The order is that of a drill: failing uploads, then the warning, then the critical alert, which mutes it."""
    pods = Pods(SYSTEMS["media"])
    expectations: list[dict[str, object]] = []
    for _ in range(2):
        for alert in (
            "MediaUploadFailureRateHigh",
            "MediaUploadAvailabilityBudgetBurnSlow",
            "MediaUploadAvailabilityBudgetBurnFast",
        ):
            expectations += repeated(alert, pods, 1)
    check(tmp_path, "media", [(pods, expectations)])


@pytest.mark.parametrize("system", SYSTEMS)
def test_all_faults_at_once_fire_all_alerts(tmp_path: Path, system: str) -> None:
    pods = Pods(SYSTEMS[system], busy=system == "speccursor")
    # Faults that hide a metric keep alerts on it from firing, a stall ends the jobs that other faults need, and the
    # faults of the API server's budget add so many good requests that no share of 3 % is left.
    blinding = {HOURLY, "MediaClusterJobsStalled", "KubernetesApiErrorRateHigh"}
    alerts = [alert for alert in alerts_of(pods) if alert not in blinding and not alert.endswith("MetricsMissing")]
    pods.run_until(max([ON, *(LATER[alert] for alert in alerts if alert in LATER)]))
    on = pods.now
    # Faults that aim at a ratio come first, because later faults add to their events.
    for alert in alerts:
        pods.switch_on(alert)
    pods.run_until(on + STEP + max(hold(alert) + LATE.get(alert, 0) for alert in alerts))

    check(tmp_path, system, [(pods, [firing(pods.now, alerts)])])


@pytest.mark.parametrize("system", SYSTEMS)
def test_healthy_pods_and_new_pods_are_silent(tmp_path: Path, system: str) -> None:
    pods = Pods(SYSTEMS[system], busy=True)
    pods.run_until(3600)
    pods.replace()
    pods.run_until(5400)

    check(tmp_path, system, [(pods, [firing(at, []) for at in range(0, 5401, STEP)])])


def test_a_healthy_api_is_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pods = Pods(api_pods(monkeypatch))
    pods.run_until(1800)

    check(tmp_path, "api", [(pods, [firing(at, []) for at in range(0, 1801, STEP)])])
