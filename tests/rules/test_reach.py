"""Alerts that cannot fire are found before they are deployed."""

from pathlib import Path

import pytest

from alerting import loader, reach
from alerting.problems import RulesError
from tests.rules import fixed_rules

FILE = "slos/uploads.yaml"


def test_a_burn_rate_that_a_total_outage_does_not_reach_is_refused() -> None:
    """An objective of 95 % leaves a budget of 5 %, so everything that fails burns 20 times as fast as allowed."""
    alert = "MediaGatewayLatencyBudgetBurnFast"
    assert loader.overrides({alert: {"thresholds": {"fast_burn": 19.9}}}, loader.load())
    with pytest.raises(RulesError) as error:
        loader.overrides({alert: {"thresholds": {"fast_burn": 20}}}, loader.load())
    (problem,) = error.value.problems
    assert problem == (
        f"{alert}.thresholds.fast_burn: 20: a total outage spends the budget 20 times as fast as allowed; "
        "allowed: below that"
    )


@pytest.mark.parametrize(("objective", "refused"), [(95.0, False), (84.0, False), (83.0, True), (50.0, True)])
def test_an_objective_whose_page_cannot_fire_is_refused(objective: float, refused: bool) -> None:
    slo = fixed_rules.load().slos["gateway-latency"].model_copy(update={"objective": objective})
    found = list(reach.objective_problems([slo]))
    assert bool(found) == refused
    if refused:
        assert f"objective: {objective:g}: a total outage" in found[0]
        assert found[0].endswith("allowed: above 83.33 with a window of 30d")


def test_an_objective_is_checked_when_rules_are_read(tmp_path: Path) -> None:
    with pytest.raises(RulesError, match="gateway-latency: objective: 80: a total outage"):
        loader.load(fixed_rules.edited(tmp_path, FILE, "objective: 95.0", "objective: 80.0"))


@pytest.mark.parametrize(
    ("prometheus", "loki", "reported"),
    [
        ("30d", "30d", []),
        ("6d", "30d", ["SpecCursorUpgradeFailureRateAnomalous"]),
        ("30d", "23h", ["SpecCursorErrorLogAnomalous"]),
    ],
)
def test_a_window_longer_than_the_retention_is_refused(prometheus: str, loki: str, reported: list[str]) -> None:
    found = list(reach.range_problems(loader.load(), {"prometheus": prometheus, "loki": loki}))
    assert [name for name in reported if any(f" that {name} reads" in line for line in found)] == reported
    assert bool(found) == bool(reported)
