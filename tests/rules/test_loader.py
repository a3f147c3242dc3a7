# ruff: noqa: E501  (a case of a table stays on its line)
"""What the loader refuses, in which words, and what overrides change; on the fixed rules of fixtures/."""

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from alerting import expressions, loader
from alerting.durations import seconds
from alerting.model import AlertOverride, Links
from alerting.problems import RulesError
from tests.rules import fixed_rules

LINKS = Links(runbook_base_url="https://runbooks.test/", dashboard_base_url="https://grafana.test")
Refused = Callable[[str, str, str], tuple[str, ...]]


@pytest.fixture
def refused(tmp_path: Path) -> Refused:
    """`refused(file, old, new)` edits a copy of the rules and gives the loader's problems."""

    def run(file: str, old: str, new: str) -> tuple[str, ...]:
        with pytest.raises(RulesError) as error:
            loader.load(fixed_rules.edited(tmp_path, file, old, new))
        return error.value.problems

    return run


ORDERS = "prometheus/orders.yaml"
SEARCH = "loki/search.yaml"


@pytest.mark.parametrize(
    ("file", "old", "new", "problem"),
    [
        (ORDERS, "0 * count by", "0 * count bye", "rules/prometheus/orders.yaml: groups[0].rules[0].expr: is not valid PromQL: "),
        (ORDERS, "alert: OrdersDepthHigh", "alert: OrdersNoWorkers", "rules/prometheus/orders.yaml: alert OrdersNoWorkers is defined twice (first in rules/prometheus/orders.yaml)"),
        ("prometheus/platform.yaml", "alert: TargetDown", "alert: OrdersDepthHigh", "rules/prometheus/platform.yaml: alert OrdersDepthHigh is defined twice (first in rules/prometheus/orders.yaml)"),
        (ORDERS, "severity: critical, ", "", "rules/prometheus/orders.yaml: groups[0].rules[0].labels.severity: required, but missing"),
        (ORDERS, "severity: critical", "severity: fatal", "rules/prometheus/orders.yaml: groups[0].rules[0].labels.severity: must be 'info', 'warning' or 'critical'; got 'fatal'"),
        (ORDERS, 'page: "true"', "page: true", "rules/prometheus/orders.yaml: groups[0].rules[0].labels.page: must be 'true' or 'false'; got True"),
        (ORDERS, "for: 1m", "for: soon", "rules/prometheus/orders.yaml: groups[0].rules[0].for: must be a Prometheus duration such as 30s, 5m, 1h30m or 15d; got 'soon'"),
        (ORDERS, "for: 1m", "four: 1m", "rules/prometheus/orders.yaml: groups[0].rules[0].four: unknown field; got '1m'"),
        (ORDERS, "{{ $value | humanize }} (or", "(or", "rules/prometheus/orders.yaml: groups[0].rules[0].annotations.description: must contain the value ({{ $value | humanize }}); got "),
        (ORDERS, "{{ $value | humanize }} (or", "{{$value}} (or", "rules/prometheus/orders.yaml: groups[0].rules[0].annotations.description: writes a million as 1e+06; allowed: {{ $value | humanize }}, "),
        (ORDERS, "dashboard_url: /d/", "dashboard_url: https://elsewhere/", "rules/prometheus/orders.yaml: groups[0].rules[0].annotations.dashboard_url: "),
        (ORDERS, "groups:", "groups: [", "rules/prometheus/orders.yaml: not valid YAML: "),
        (ORDERS, "expr: max by (namespace, app, queue) (orders_queue_depth{status=\"PENDING\"}) > 1000", "expr: orders_queue_depth[5m]", "rules/prometheus/orders.yaml: groups[0].rules[1].expr: must be an instant vector, not a range vector (alert OrdersDepthHigh); got "),
        (ORDERS, "expr: max by (namespace, app, queue) (orders", "expr: limitk(1, orders", "rules/prometheus/orders.yaml: groups[0].rules[1].expr: uses limitk, which Prometheus runs only with --enable-feature=promql-experimental-functions; it is not set here (alert OrdersDepthHigh); got "),
        ("prometheus/platform.yaml", "expr: vector(1)", "expr: '1'", "rules/prometheus/platform.yaml: groups[0].rules[0].expr: must be an instant vector, not a scalar (alert Watchdog); got '1'"),
        (ORDERS, "team: orders", "team: '{{ $labels.team'", "rules/prometheus/orders.yaml: groups[0].rules[0].labels.team: "),
        (ORDERS, "> 1000", "> 1001", "rules/systems/orders.yaml: thresholds.OrdersDepthHigh.pending_orders: 1000 must appear exactly once in its expr, not 0 times"),
        (ORDERS, "> 1000", "> 1000 + 1000", "rules/systems/orders.yaml: thresholds.OrdersDepthHigh.pending_orders: 1000 must appear exactly once in its expr, not 2 times"),
        (SEARCH, "alert: SearchErrorLogBurst", "alert: TargetDown", "rules/loki/search.yaml: alert TargetDown is defined twice (first in rules/prometheus/platform.yaml)"),
        (SEARCH, "name: search-log-baseline", "name: search-logs", "rules/loki/search.yaml: group search-logs is defined twice (first in rules/loki/search.yaml)"),
        (SEARCH, "/ 5 > 10", "/ 5 > 11", "rules/systems/search.yaml: thresholds.SearchErrorLogBurst.lines_per_minute: 10 must appear exactly once in its expr, not 0 times"),
        ("systems/orders.yaml", "OrdersDepthHigh:\n", "OrdersDeepHigh:\n", "rules/systems/orders.yaml: thresholds.OrdersDeepHigh: no such alert; did you mean OrdersDepthHigh?"),
        ("systems/orders.yaml", "pending_orders: 1000", "pending_orders: many", "rules/systems/orders.yaml: thresholds.OrdersDepthHigh.pending_orders: must be a valid number; got 'many'"),
        ("systems/orders.yaml", "times_hourly_mean: 3", "times_hourly_mean: 0.1", "rules/systems/orders.yaml: thresholds.OrdersPublishErrorsSpiking: two thresholds have the same default"),
        (ORDERS, "- alert: OrdersDepthHigh", "- alert: OrdersDepthHigh\n        record: a:b:c", "rules/prometheus/orders.yaml: groups[0].rules[1].alert: unknown field; got 'OrdersDepthHigh'"),
        (ORDERS, "    rules:\n", "    rules:\n      - {record: depth, expr: sum(orders_queue_depth)}\n", "rules/prometheus/orders.yaml: groups[0].rules[0].record: must be level:metric:operation, each of small letters, digits and `_`; got 'depth'"),
        (ORDERS, "    rules:\n", "    rules:\n      - {record: queue:orders:sum, expr: sum(orders_queue_depth))}\n", "rules/prometheus/orders.yaml: groups[0].rules[0].expr: is not valid PromQL: "),
        (ORDERS, "    rules:\n", "    rules:\n      - {record: queue:orders:sum, expr: '1'}\n", "rules/prometheus/orders.yaml: groups[0].rules[0].expr: must be an instant vector, not a scalar (record queue:orders:sum); got '1'"),
        (ORDERS, "    rules:\n", "    rules:\n      - {record: queue:orders:sum, expr: up, labels: {Bad-Name: x}}\n", "rules/prometheus/orders.yaml: groups[0].rules[0].labels.Bad-Name"),
        (ORDERS, "    rules:\n", "    rules:\n      - {record: queue:orders:sum, expr: up}\n      - {record: queue:orders:sum, expr: up}\n", "rules/prometheus/orders.yaml: record queue:orders:sum is defined twice (first in rules/prometheus/orders.yaml)"),
        (SEARCH, "    rules:\n", "    rules:\n      - {record: queue:orders:sum, expr: up}\n", "rules/loki/search.yaml: groups[0].rules[0].record: unknown field; got 'queue:orders:sum'"),
        (ORDERS, "severity: critical, ", "severity: critical, severity: info, ", "rules/prometheus/orders.yaml: not valid YAML: key 'severity' appears twice"),
        (ORDERS, "system: orders", "system: order", "rules/prometheus/orders.yaml: alert OrdersNoWorkers: no system 'order'; did you mean orders?; a new one needs rules/systems/order.yaml"),
        (SEARCH, "system: search", "system: till", "rules/loki/search.yaml: alert SearchErrorLogBurst: no system 'till'; known: orders, platform, search, uploads; a new one needs rules/systems/till.yaml"),
    ],
)  # fmt: skip
def test_refuses(refused: Refused, file: str, old: str, new: str, problem: str) -> None:
    assert any(line.startswith(problem) for line in refused(file, old, new))


def test_reports_problems_of_several_files_at_once(tmp_path: Path) -> None:
    fixed_rules.copied(tmp_path)
    broken: dict[str, int] = {}
    for name in ("prometheus/orders", "prometheus/platform", "loki/search"):
        file = tmp_path / f"{name}.yaml"
        broken[f"rules/{name}.yaml"] = file.read_text().count("for: 5m\n")
        file.write_text(file.read_text().replace("for: 5m\n", "for: soon\n"))
    with pytest.raises(RulesError) as error:
        loader.load(tmp_path)
    assert Counter(problem.split(":")[0] for problem in error.value.problems) == broken


def test_an_alert_without_a_runbook_is_refused(tmp_path: Path) -> None:
    fixed_rules.copied(tmp_path)
    for alert in ("OrdersDepthHigh", "SearchErrorLogBurst", "GatewayLatencyMetricsMissing"):
        (tmp_path / f"runbooks/{alert}.md").unlink()
    with pytest.raises(RulesError) as error:
        loader.load(tmp_path)
    assert error.value.problems == (
        "rules/prometheus/orders.yaml: alert OrdersDepthHigh: no runbook; write rules/runbooks/OrdersDepthHigh.md",
        "rules/slos/uploads.yaml: alert GatewayLatencyMetricsMissing: no runbook; write "
        "rules/runbooks/GatewayLatencyMetricsMissing.md",
        "rules/loki/search.yaml: alert SearchErrorLogBurst: no runbook; write rules/runbooks/SearchErrorLogBurst.md",
    )


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (ORDERS, "for: 2m", "for: 3m"),
        (SEARCH, "for: 5m", "for: 4m"),
        ("slos/uploads.yaml", "objective: 99.9", "objective: 99.8"),
        ("systems/orders.yaml", "minAvailable: 1", "minAvailable: 2"),
    ],
)
def test_a_file_is_read_again_after_it_has_changed(tmp_path: Path, file: str, old: str, new: str) -> None:
    before = loader.load(fixed_rules.copied(tmp_path))
    assert loader.load(tmp_path) is before
    changed = loader.load(fixed_rules.edited(tmp_path, file, old, new))
    assert changed != before
    assert loader.load(fixed_rules.copied(tmp_path)) == before
    (tmp_path / "runbooks/OrdersDepthHigh.md").unlink()
    with pytest.raises(RulesError, match="alert OrdersDepthHigh: no runbook"):
        loader.load(tmp_path)


def test_links_are_completed() -> None:
    rule = _rendered({})["TargetDown"]
    assert rule["annotations"]["runbook_url"] == "https://runbooks.test/TargetDown.md"
    assert rule["annotations"]["dashboard_url"] == "https://grafana.test/d/platform-alerting"


def test_override_changes_what_it_names_and_nothing_else() -> None:
    change = {
        "OrdersPublishErrorsSpiking": {
            "for": "10s",
            "severity": "critical",
            "page": True,
            "thresholds": {"times_hourly_mean": 4.5, "errors_per_second": 3},
        }
    }
    before, after = _rendered({}), _rendered(change)
    name = "OrdersPublishErrorsSpiking"
    assert after[name]["for"] == "10s"
    assert after[name]["labels"] == before[name]["labels"] | {"severity": "critical", "page": "true"}
    # 3 was the other threshold's default: both are replaced at once, none twice.
    assert after[name]["expr"] == before[name]["expr"].replace("> 3 *", "> 4.5 *").replace("> 0.1", "> 3")
    assert after[name]["annotations"] == before[name]["annotations"]
    assert {key: value for key, value in after.items() if key != name} == {
        key: value for key, value in before.items() if key != name
    }


def test_each_rule_knows_who_evaluates_it() -> None:
    rules = fixed_rules.load().rules()
    assert {name for name, rule in rules.items() if rule.engine == "loki"} == {
        "SearchErrorLogBurst",
        "SearchErrorLogAnomalous",
    }
    assert rules["TargetDown"].engine == "prometheus"


def test_overrides_and_links_reach_the_alerts_on_logs() -> None:
    rule_set = fixed_rules.load()
    name = "SearchErrorLogBurst"
    changes = loader.overrides({name: {"for": "10s", "page": True, "thresholds": {"lines_per_minute": 25}}}, rule_set)
    (group, _) = yaml.safe_load(loader.render_loki(rule_set, changes, LINKS)["search.yaml"])["groups"]
    (rule,) = group["rules"]
    assert rule["expr"] == rule_set.rules()[name].expr.replace("> 10", "> 25")
    assert (rule["for"], rule["labels"]["page"]) == ("10s", "true")
    assert rule["annotations"]["runbook_url"] == f"https://runbooks.test/{name}.md"
    assert rule["annotations"]["dashboard_url"] == "https://grafana.test/d/search-overview"


def test_disabled_alerts_and_their_empty_groups_are_left_out() -> None:
    rule_set = fixed_rules.load()
    names = [rule.alert for rule in rule_set.files["platform.yaml"].alerts()]
    changes = loader.overrides({name: {"enabled": False} for name in names}, rule_set)
    assert yaml.safe_load(loader.render(rule_set, changes, LINKS, interval=None)["platform.yaml"]) == {"groups": []}
    changes = loader.overrides({"SearchErrorLogAnomalous": {"enabled": False}}, rule_set)
    groups = yaml.safe_load(loader.render_loki(rule_set, changes, LINKS)["search.yaml"])["groups"]
    assert [group["name"] for group in groups] == ["search-logs"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"TargetDwn": {}}, "TargetDwn: no such alert; did you mean TargetDown?"),
        ({"TargetDown": {"thresholds": {"seconds": 1}}}, "TargetDown.thresholds.seconds: no such threshold; known: (none)"),
        ({"OrdersDepthHigh": {"thresholds": {"items": 1}}}, "OrdersDepthHigh.thresholds.items: no such threshold; known: pending_orders"),
        ({"OrdersDepthHigh": {"thresholds": {"pending_orders": "9"}}}, "OrdersDepthHigh.thresholds.pending_orders: '9': must be a valid number"),
        ({"OrdersDepthHigh": {"thresholds": {"pending_orders": -1}}}, "OrdersDepthHigh.thresholds.pending_orders: -1: must be greater than or equal to 0"),
        ({"OrdersDepthHigh": {"thresholds": {"pending_orders": True}}}, "OrdersDepthHigh.thresholds.pending_orders: True: must be a valid number"),
        ({"TargetDown": {"for": 30}}, "TargetDown.for: 30: must be a valid string"),
        ({"TargetDown": {"for": "half an hour"}}, "TargetDown.for: 'half an hour': must be a Prometheus duration such as 30s, 5m, 1h30m or 15d"),
        ({"TargetDown": {"page": "true"}}, "TargetDown.page: 'true': must be a valid boolean"),
        ({"TargetDown": {"severty": "info"}}, "TargetDown.severty: 'info': unknown field; did you mean severity?"),
        ({"TargetDown": None}, "TargetDown: None: must be an object"),
    ],
)  # fmt: skip
def test_refuses_overrides(change: dict[str, object], problem: str) -> None:
    with pytest.raises(RulesError) as error:
        loader.overrides(change, fixed_rules.load())
    assert error.value.problems == (problem,)


def test_recording_rules_are_rendered_but_are_no_alerts(tmp_path: Path) -> None:
    fixed_rules.copied(tmp_path)
    file = tmp_path / ORDERS
    record = {
        "record": "queue:orders:sum",
        "expr": "sum by (queue) (orders_queue_depth)",
        "labels": {"source": "orders"},
    }
    file.write_text(file.read_text().replace("    rules:\n", f"    rules:\n      - {json.dumps(record)}\n", 1))
    rule_set = loader.load(tmp_path)
    assert rule_set.rules() == fixed_rules.load().rules()
    assert [rule.record for rule in rule_set.recordings()].count("queue:orders:sum") == 1
    group = yaml.safe_load(loader.render(rule_set, {}, LINKS, interval=None)["orders.yaml"])["groups"][0]
    assert group["rules"][0] == record


def _named_thresholds() -> list[tuple[str, str]]:
    """Of the alerts on metrics; tests/rules/loki/test_logql.py asks Loki about those on logs."""
    rules = loader.load().rules()
    named = [(alert, name) for alert, thresholds in loader.load().thresholds.items() for name in thresholds]
    return [(alert, name) for alert, name in named if rules[alert].engine == "prometheus"]


@given(
    which=st.sampled_from(_named_thresholds()),
    value=st.one_of(st.integers(0, 10**18).map(float), st.floats(0, 1e300, allow_nan=False)),
)
def test_any_threshold_is_put_in_and_stays_valid(which: tuple[str, str], value: float) -> None:
    """Of the rules that are deployed, whatever their numbers are."""
    alert, name = which
    rule_set = loader.load()
    default, rule = rule_set.thresholds[alert][name], rule_set.rules()[alert]
    changed = loader.effective(rule, rule_set.thresholds[alert], AlertOverride(thresholds={name: value})).expr
    assert expressions.problem(changed) is None
    assert expressions.occurrences(changed, value) >= 1
    # Putting the default back gives the file's own text, unless the new value was there before.
    if expressions.occurrences(rule.expr, value) == 0:
        assert expressions.substitute(changed, {value: default}) == expressions.substitute(
            rule.expr, {default: default}
        )


@given(text=st.text(alphabet="0123456789.e+-axb_:[]{}()\"'#\\ \nsmhd>=", max_size=40), value=st.floats(0, 1e6))
def test_substituting_never_touches_more_than_numbers(text: str, value: float) -> None:
    assume(not re.search(r"\.[0-9.]*\.", text))  # two numbers side by side, which no expression has
    count = expressions.occurrences(text, value)
    changed = expressions.substitute(text, {value: value})
    assert expressions.occurrences(changed, value) == count
    if count == 0:
        assert changed == text


@pytest.mark.parametrize(
    "expression",
    [
        'a{b="5"} > 5',
        "rate(a[5m]) > 5",
        "a5 > 5",
        "a:5m > 5",
        "# 5\na > 5",
        "a offset 5m > 5",
        "a{b='\\'5'} > 5.0",
        "a > 5e0",
    ],
)
def test_only_the_number_itself_counts(expression: str) -> None:
    assert expressions.occurrences(expression, 5) == 1
    assert expressions.substitute(expression, {5: 7}).endswith("> 7")


@pytest.mark.parametrize(("text", "expected"), [("0", 0), ("0s", 0), ("15d", 1296000), ("1h30m", 5400), ("500ms", 0.5)])
def test_durations(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "5", "5 m", "m5", "-5m", "5m1h", "1.5h", "fifteen days", "5M"])
def test_refuses_durations(text: str) -> None:
    with pytest.raises(ValueError, match="must be a Prometheus duration"):
        seconds(text)


def _rendered(changes: dict[str, object]) -> dict[str, dict[str, dict[str, str]]]:
    rule_set = fixed_rules.load()
    files = loader.render(rule_set, loader.overrides(changes, rule_set), LINKS, interval=None)
    groups = [group for text in files.values() for group in yaml.safe_load(text)["groups"]]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}
