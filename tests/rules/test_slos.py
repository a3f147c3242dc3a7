# ruff: noqa: E501  (a case of a table stays on its line)
"""Service level objectives: what is refused, in which words, and what rules each becomes; on the fixed rules."""

from pathlib import Path

import pytest
import yaml

from alerting import loader, slo_rules, slos
from alerting.model import AlertOverride, Links, RuleSet
from alerting.problems import RulesError
from tests.rules import fixed_rules

FILE = "slos/uploads.yaml"
PLACE = "rules/slos/uploads.yaml"
LINKS = Links(runbook_base_url="https://runbooks.test", dashboard_base_url="https://grafana.test")
SLOS = {"upload-availability": "UploadAvailability", "gateway-latency": "GatewayLatency"}
WINDOWS = ("5m", "30m", "1h", "6h", "3d", "30d")


@pytest.fixture(scope="module")
def rule_set() -> RuleSet:
    return fixed_rules.load()


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("objective: 99.9", "objective: 100", "slos[0].objective: must be a percentage above 0 and below 100; 100 leaves no budget for errors, 0 promises nothing; got 100"),
        ("objective: 99.9", "objective: 0", "slos[0].objective: must be a percentage above 0 and below 100; 100 leaves no budget for errors, 0 promises nothing; got 0"),
        ("objective: 99.9", "objective: -1", "slos[0].objective: must be a percentage above 0"),
        ("objective: 99.9", "objective: .nan", "slos[0].objective: must be a percentage above 0"),
        ("objective: 99.9", "objective: '99.9'", "slos[0].objective: must be a valid number; got '99.9'"),
        ("    objective: 99.9\n", "", "slos[0].objective: required, but missing"),
        ("window: 30d", "window: month", "slos[0].window: must be a Prometheus duration such as 30s, 5m, 1h30m or 15d; got 'month'" ),
        ("window: 30d", "window: 3d", "slos[0].window: must be longer than 3d, the longest window of an SLO's alerts; got '3d'"),
        ("window: 30d", "windows: 30d", "slos[0].windows: unknown field; got '30d'"),
        ("window: 30d", "window: 30d\n    minimum_errors: 0", "slos[0].minimum_errors: must be greater than or equal to 1; got 0"),
        ("window: 30d", "window: 30d\n    minimum_errors: 2.5", "slos[0].minimum_errors: must be a valid integer; got 2.5"),
        ("window: 30d", "window: 30d\n    minimum_errors: 100000", "slos[0].minimum_errors: must be less than or equal to 1000; got 100000"),
        ('"failure"}[$window]', '"failure"}[5m]', "slos[0].errors: must have the range [$window], which each rule fills in; got "),
        ("total: sum(increase(uploads_total[$window]))", "total: sum(increase(uploads_total[$window])", "slos[0].total: is not valid PromQL: "),
        ("total: sum(increase(", "total: sum by (pod) (increase(", "slos[0].total: must give one value without labels, such as sum(increase(...)) without `by`; got "),
        ("name: upload-availability", "name: Uploads", "slos[0].name: "),
        ("name: gateway-latency", "name: upload-availability", "slos[1].name: 'upload-availability' is taken by rules/slos/uploads.yaml; every SLO needs its own"),
        ("system: uploads", "system: media", "slos[0].system: 'media' is not allowed; allowed: uploads, the file's name"),
        ("slos:\n", "objectives:\n", "objectives: unknown field"),
        ("slos:\n", "slos: [\n", "not valid YAML: "),
    ],
)  # fmt: skip
def test_refuses(tmp_path: Path, old: str, new: str, problem: str) -> None:
    with pytest.raises(RulesError) as error:
        loader.load(fixed_rules.edited(tmp_path, FILE, old, new))
    assert [line for line in error.value.problems if line.startswith(f"{PLACE}: {problem}")], error.value


def test_slos_of_a_system_without_a_file_are_refused(tmp_path: Path) -> None:
    fixed_rules.copied(tmp_path)
    text = (tmp_path / FILE).read_text()
    (tmp_path / FILE).unlink()
    (tmp_path / "slos/till.yaml").write_text(text.replace("system: uploads", "system: till"))
    with pytest.raises(RulesError, match=r"rules/slos/till\.yaml: alert UploadAvailabilityBudgetBurnFast: no system"):
        loader.load(tmp_path)


def test_an_alert_that_an_slo_makes_cannot_be_written_as_well(tmp_path: Path) -> None:
    with pytest.raises(RulesError) as error:
        loader.load(
            fixed_rules.edited(
                tmp_path, "prometheus/platform.yaml", "alert: TargetDown", "alert: GatewayLatencyMetricsMissing"
            )
        )
    assert error.value.problems[0] == (
        "rules/slos/uploads.yaml: alert GatewayLatencyMetricsMissing is defined twice "
        "(first in rules/prometheus/platform.yaml)"
    )  # fmt: skip


def test_thresholds_of_a_made_alert_stand_nowhere_else(tmp_path: Path) -> None:
    old, new = "thresholds: {}", "thresholds: {GatewayLatencyBudgetBurnSlow: {slow_burn: 1}}"
    with pytest.raises(RulesError) as error:
        loader.load(fixed_rules.edited(tmp_path, "systems/uploads.yaml", old, new))
    assert error.value.problems == (
        "rules/systems/uploads.yaml: thresholds.GatewayLatencyBudgetBurnSlow: generated from rules/slos, with the "
        "thresholds slow_burn; allowed: none here",
    )


@pytest.mark.parametrize(("name", "start"), SLOS.items())
def test_each_slo_has_three_alerts_that_lead_to_its_dashboard(rule_set: RuleSet, name: str, start: str) -> None:
    rules = rule_set.rules()
    found = {
        alert.removeprefix(start): (rule.labels.severity, rule.labels.page, rule.labels.subject, rule.labels.team)
        for alert, rule in rules.items()
        if alert.startswith(start)
    }
    assert found == {
        "BudgetBurnFast": ("critical", "true", f"{name}-budget", "media"),
        "BudgetBurnSlow": ("warning", "false", f"{name}-budget", "media"),
        "MetricsMissing": ("critical", "true", f"{name}-metrics", "media"),
    }
    for alert, rule in rules.items():
        if alert.startswith(start):
            assert (rule.annotations.dashboard_url, rule.labels.system) == ("/d/platform-slos", "uploads")


@pytest.mark.parametrize("name", SLOS)
def test_each_slo_records_its_ratios_objective_and_budget(rule_set: RuleSet, name: str) -> None:
    recorded = {rule.record: rule for rule in rule_set.recordings() if (rule.labels or {}).get("slo") == name}
    assert set(recorded) == {
        "slo:errors:increase1h",
        "slo:errors:increase6h",
        "slo:errors:rate5m",
        "slo:total:rate5m",
        "slo:lost:rate5m",
        "slo:minimum_errors:count",
        "slo:objective:ratio",
        "slo:window:seconds",
        "slo:budget_remaining:ratio",
        *(f"slo:errors:ratio_rate{window}" for window in WINDOWS),
    }
    assert all(rule.labels == {"slo": name, "system": "uploads"} for rule in recorded.values())
    assert all(slos.WINDOW not in rule.expr for rule in recorded.values())


def test_an_slo_may_leave_it_to_another_alert_to_notice_that_nothing_is_counted(tmp_path: Path) -> None:
    new = "window: 30d\n    stopped_alert: OrdersDepthHigh"
    with pytest.raises(RulesError) as error:
        loader.load(fixed_rules.edited(tmp_path, FILE, "window: 30d", new))
    assert error.value.problems[0].startswith(
        f"{PLACE}: upload-availability.stopped_alert: no alert OrdersDepthHigh in system uploads; known: "
    )
    other = "GatewayLatencyMetricsMissing"
    found = loader.load(fixed_rules.edited(tmp_path, FILE, "window: 30d", new.replace("OrdersDepthHigh", other)))
    suffixes = {alert for alert in found.rules() if alert.startswith("UploadAvailability")}
    assert suffixes == {f"UploadAvailabilityBudgetBurn{speed}" for speed in ("Fast", "Slow")}
    assert other in found.rules()


def test_short_windows_follow_the_stack_and_long_ones_are_evaluated_less_often(rule_set: RuleSet) -> None:
    groups = yaml.safe_load(loader.render(rule_set, {}, LINKS, interval=None)["slos-uploads.yaml"])["groups"]
    short, long = groups[:2]
    assert ("interval" in short, long["interval"]) == (False, "2m")
    assert "slo:errors:ratio_rate1h" in {rule.get("record") for rule in short["rules"]}
    assert "slo:errors:ratio_rate30d" in {rule.get("record") for rule in long["rules"]}


def test_burn_rates_can_be_overridden(rule_set: RuleSet) -> None:
    name = "UploadAvailabilityBudgetBurnFast"
    assert rule_set.thresholds[name] == {"fast_burn": 14.4, "steady_burn": 6}
    assert rule_set.thresholds["UploadAvailabilityBudgetBurnSlow"] == {"slow_burn": 1}
    changes = loader.overrides({name: {"thresholds": {"fast_burn": 10, "steady_burn": 4}}}, rule_set)
    before = rule_set.rules()[name]
    after = loader.effective(before, rule_set.thresholds[name], changes[name])
    assert after.expr == before.expr.replace("> 14.4", "> 10").replace("> 6", "> 4")
    assert loader.effective(before, rule_set.thresholds[name], AlertOverride()) == before


def test_burn_rates_follow_from_the_window(tmp_path: Path) -> None:
    """2 % of the budget in an hour, 5 % in six, 10 % in three days."""
    found = loader.load(fixed_rules.edited(tmp_path, FILE, "window: 30d", "window: 15d"))
    assert found.thresholds["UploadAvailabilityBudgetBurnFast"] == {"fast_burn": 7.2, "steady_burn": 3}
    assert found.thresholds["UploadAvailabilityBudgetBurnSlow"] == {"slow_burn": 0.5}
    assert found.thresholds["GatewayLatencyBudgetBurnFast"] == {"fast_burn": 14.4, "steady_burn": 6}
    assert "slo:errors:ratio_rate15d" in {rule.record for rule in found.recordings()}


@pytest.mark.parametrize(("line", "errors"), [("", 10), ("\n    minimum_errors: 3", 3)])
def test_a_fast_burn_needs_as_many_errors_as_the_slo_says(tmp_path: Path, line: str, errors: int) -> None:
    found = loader.load(fixed_rules.edited(tmp_path, FILE, "window: 30d", f"window: 30d{line}"))
    minimum = [
        (rule.expr, (rule.labels or {})["slo"])
        for rule in found.recordings()
        if rule.record == "slo:minimum_errors:count"
    ]
    assert minimum == [(f"vector({errors})", "upload-availability"), ("vector(10)", "gateway-latency")]
    fast = found.rules()["UploadAvailabilityBudgetBurnFast"].expr
    assert fast.count(">= slo:minimum_errors:count") == 2
    assert "slo:minimum_errors:count" not in found.rules()["UploadAvailabilityBudgetBurnSlow"].expr


@pytest.mark.parametrize(("objective", "good", "bad"), [(99.9, "0.999", "0.001"), (95.0, "0.95", "0.05"), (99.995, "0.99995", "0.00005"), (50.0, "0.5", "0.5")])  # fmt: skip
def test_shares_are_exact(objective: float, good: str, bad: str) -> None:
    slo = fixed_rules.load().slos["gateway-latency"].model_copy(update={"objective": objective})
    assert (f"{slo.objective_ratio:f}", f"{slo.budget:f}") == (good, bad)


def test_files_are_one_for_each_system(rule_set: RuleSet) -> None:
    (slo, other) = rule_set.slos.values()
    files = slo_rules.files([slo, other.model_copy(update={"system": "api"})])
    assert list(files) == ["slos-api.yaml", "slos-uploads.yaml"]
    assert [group.name for group in files["slos-api.yaml"].groups] == [f"slo-{other.name}", f"slo-{other.name}-long"]


@pytest.mark.parametrize(
    ("retention", "remote_write", "refused"),
    [("30d", False, 0), ("720h", False, 0), ("29d", False, 2), ("15d", True, 0), ("1y", False, 0)],
)
def test_a_window_fits_into_the_retention(rule_set: RuleSet, retention: str, remote_write: bool, refused: int) -> None:
    problems = slos.retention_problems(rule_set.slos.values(), retention, remote_write)
    assert len(problems) == refused
    if refused:
        assert problems[0] == (
            "observability:prometheusRetention: 29d is shorter than the window 30d of the SLO upload-availability "
            "(rules/slos/uploads.yaml), so its budget would cover less time; allowed: at least 30d, or a store "
            "that keeps metrics longer in observability:remoteWriteUrl"
        )
