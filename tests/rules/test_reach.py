"""Alerts that cannot fire are found before they are deployed."""

from pathlib import Path

import pytest

from alerting import expressions, loader, reach
from alerting.expressions import selectors
from alerting.model import RecordingRule
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


@pytest.mark.parametrize(
    ("file", "old", "new", "field"),
    [
        ("prometheus/orders.yaml", "[1d]", "[300y]", "expr"),
        ("prometheus/orders.yaml", "[1d]", "[1d] offset 300y", "expr"),
        ("prometheus/orders.yaml", "last_over_time(orders_workers_active[1d])", "last_over_time(up[300y:1m])", "expr"),
        ("prometheus/orders.yaml", "for: 1m", "for: 300y", "for"),
        ("loki/search.yaml", "[5m]", "[300y]", "expr"),
        ("loki/search.yaml", "for: 5m", "for: 300y", "for"),
    ],
)
def test_a_duration_that_the_programs_cannot_count_is_one_line(
    tmp_path: Path, file: str, old: str, new: str, field: str
) -> None:
    with pytest.raises(RulesError) as caught:
        loader.load(fixed_rules.edited(tmp_path, file, old, new))
    (problem,) = caught.value.problems
    assert problem.startswith(f"rules/{file}: groups[0].rules[0].{field}: ")
    assert "must be a Prometheus duration of at most 292y" in problem
    assert "300y" in problem


@pytest.mark.parametrize("text", ["[45]..", "[300y]", "job:rate:300y"])
def test_a_text_is_no_duration(text: str) -> None:
    """Nor is a class of characters in a regular expression."""
    expression = f'max_over_time(up{{code=~"{text}"}}[1d] offset 1h) # [400y]'
    assert expressions.problem(expression) is None
    assert expressions.longest_read(expression) == 25 * 3600


@pytest.mark.parametrize(
    ("alert", "name", "most", "least", "reason"),
    [
        ("ApiErrorRateHigh", "failed_ratio", 0.99, 1.0, "1: the alert compares a share of 1; allowed: below it"),
        ("ApiErrorRateHigh", "failed_ratio", 0.99, 90.0, "90: the alert compares a share of 1; allowed: below it"),
        ("AutoscalerAtMaximum", "used_ratio", 1.0, 1.01, "1.01: the alert compares a share of 1; allowed: up to it"),
        (
            "MediaClusterNoiseHigh",
            "noise_points",
            99.0,
            100.0,
            "100: the alert compares a share of 100; allowed: below it",
        ),
        ("PersistentVolumeFullSoon", "free_ratio", 0.01, 0.0, "0: nothing is below 0; allowed: above 0"),
        ("KubeletCertificateExpiring", "seconds", 1.0, 0.0, "0: nothing is below 0; allowed: above 0"),
    ],
)
def test_a_threshold_that_nothing_reaches_is_refused(
    alert: str, name: str, most: float, least: float, reason: str
) -> None:
    """A share that is written in percent, and a limit that lies at the end of what there is."""
    assert loader.overrides({alert: {"thresholds": {name: most}}}, loader.load())
    with pytest.raises(RulesError) as error:
        loader.overrides({alert: {"thresholds": {name: least}}}, loader.load())
    assert error.value.problems == (f"{alert}.thresholds.{name}: {reason}",)


def test_no_default_is_out_of_reach() -> None:
    rules = loader.load()
    found = [
        problem
        for alert, named in rules.thresholds.items()
        for name, value in named.items()
        if (problem := reach.threshold_problem(rules, alert, name, value))
    ]
    assert found == []


P95 = "histogram_quantile(0.95, sum by (le) (rate(d_seconds_bucket[5m])))"


@pytest.mark.parametrize(
    ("expression", "limits"),
    [
        (f"{P95} > 10", [(10, False)]),
        (f"{P95} >= 10", [(10, True)]),
        (f"10 < {P95}", [(10, False)]),
        (f"max by (app) (({P95})) > 10 and on () up", [(10, False)]),
        (f"max_over_time({P95}[10m:1m]) > 10", [(10, False)]),
        (f"({P95} > 10 or {P95} > 20)", [(10, False), (20, False)]),
        ("job:d:p95 > 10", [(10, False)]),
        ("max_over_time(job:d:p95[10m]) > 10", [(10, False)]),
        # A little is added where the last bucket is full, so 10 itself is reached.
        (f"{P95} + 1e-9 * ({P95} == bool 10) > 10", [(10, True)]),
        # In milliseconds, and where fewer are worse: the buckets say nothing.
        (f"{P95} * 1000 > 500", []),
        (f"{P95} < 10", []),
        (f"{P95} > other", []),
        ("sum(rate(d_seconds_bucket[5m])) > 10", []),
    ],
)
def test_the_number_that_a_quantile_must_exceed_is_found(expression: str, limits: list[tuple[float, bool]]) -> None:
    recorded = (RecordingRule(record="job:d:p95", expr=P95),)
    found = list(reach.quantiles(expression, recorded))
    assert [(one.limit, one.reached) for one in found] == limits
    assert {one.histogram for one in found} <= {"d_seconds"}


@pytest.mark.parametrize(
    ("limit", "reached", "bound", "fires"),
    [(10, False, 10, False), (10, True, 10, True), (10, True, 5, False), (10, False, 30, True)],
)
def test_a_quantile_never_exceeds_the_last_finite_bucket(
    limit: float, reached: bool, bound: float, fires: bool
) -> None:
    (buckets,) = selectors("d_seconds_bucket")
    assert reach.Quantile(buckets=buckets, limit=limit, reached=reached).within(bound) is fires


def test_every_alert_on_a_quantile_is_checked() -> None:
    rules = loader.load()
    recorded = rules.recordings()
    quantile = {rule.record for rule in recorded if "histogram_quantile" in rule.expr} | {"histogram_quantile"}
    asked = {name: rule for name, rule in rules.rules().items() if any(one in rule.expr for one in quantile)}
    assert len(asked) >= 6
    assert [name for name, rule in asked.items() if not list(reach.quantiles(rule.expr, recorded))] == []
    bounds = {one.histogram: one.limit / 2 for rule in asked.values() for one in reach.quantiles(rule.expr, recorded)}
    found = list(reach.quantile_problems(asked.values(), recorded, bounds))
    assert {line.split(":")[0].removeprefix("alert ") for line in found} == asked.keys()
