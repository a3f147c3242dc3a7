"""Alerts on log lines fire, stay silent and resolve as their scenarios say, in a real Loki; and wrong rules do not."""

from pathlib import Path

import pytest

from alerting import loader
from alerting.model import LogRule
from tests.mock_engine import ROOT
from tools.rule_tests import loki_scenarios
from tools.rule_tests.loki_server import LokiServer

FILES = sorted((ROOT / "tests/rules/loki").glob("*.test.yaml"))
SCENARIOS = [(file, scenario) for file in FILES for scenario in loki_scenarios.read(file)]
BURST, ANOMALOUS = "SpecCursorErrorLogBurst", "SpecCursorErrorLogAnomalous"
LEVEL = 'level=~"(?i)err(or)?|fatal|crit(ical)?|panic"'


def log_rules() -> dict[str, LogRule]:
    return {name: rule for name, rule in loader.load().rules().items() if isinstance(rule, LogRule)}


@pytest.fixture(scope="session")
def start(server: LokiServer) -> int:
    """Begin of all scenarios, whose lines are in Loki by then."""
    begin = loki_scenarios.begin()
    for number, (_, scenario) in enumerate(SCENARIOS):
        loki_scenarios.push(server, f"scenario-{number}", scenario, begin)
    return begin


def fails(server: LokiServer, start: int, rules: dict[str, LogRule], alert: str) -> bool:
    """Whether at least one scenario notices what was changed in the rule `alert`."""
    return any(
        loki_scenarios.problems(server, f"scenario-{number}", scenario, rules, start)
        for number, (_, scenario) in enumerate(SCENARIOS)
        if alert in {check.alertname for check in scenario.alert_rule_test}
    )


@pytest.mark.parametrize(
    ("number", "file", "scenario"),
    [pytest.param(number, *one, id=f"{one[0].name}: {one[1].name}") for number, one in enumerate(SCENARIOS)],
)
def test_scenarios(server: LokiServer, start: int, number: int, file: Path, scenario: loki_scenarios.Scenario) -> None:
    assert loki_scenarios.problems(server, f"scenario-{number}", scenario, log_rules(), start) == []


def test_every_alert_on_logs_has_a_scenario_that_fires_and_one_that_is_silent() -> None:
    checks = [check for _, scenario in SCENARIOS for check in scenario.alert_rule_test]
    assert {check.alertname for check in checks if check.exp_alerts} == set(log_rules())
    assert {check.alertname for check in checks if not check.exp_alerts} == set(log_rules())


@pytest.mark.parametrize(
    ("alert", "field", "old", "new"),
    [
        (BURST, "expr", "> 10", "> 11"),
        (BURST, "expr", "> 10", ">= 10"),
        (BURST, "expr", "[5m]", "[4m]"),
        (BURST, "expr", "by (namespace, service)", "by (namespace, service, level)"),
        (BURST, "expr", "by (namespace, service)", "by (namespace)"),
        (BURST, "expr", f"| {LEVEL}", ""),
        (BURST, "expr", f"| {LEVEL}", '| level="ERROR"'),
        (BURST, "expr", "(?i)", ""),
        (BURST, "expr", "|fatal|", "|"),
        (BURST, "expr", 'namespace="speccursor"', 'namespace=~".+"'),
        (BURST, "for_", "5m", "4m"),
        (BURST, "for_", "5m", "6m"),
        (BURST, "for_", "5m", "0s"),
        (ANOMALOUS, "expr", "> 50", "> 51"),
        (ANOMALOUS, "expr", "> 50", ">= 50"),
        (ANOMALOUS, "expr", "> 3 *", "> 4 *"),
        (ANOMALOUS, "expr", "> 3 *", "> 2 *"),
        (ANOMALOUS, "expr", "[1d]", "[12h]"),
        (ANOMALOUS, "expr", "/ 144", "/ 72"),
        (ANOMALOUS, "expr", "\nand\n", "\nor\n"),
        (ANOMALOUS, "expr", f"| {LEVEL} [10m]", "[10m]"),
        (ANOMALOUS, "for_", "5m", "4m"),
        (ANOMALOUS, "for_", "5m", "6m"),
    ],
)
def test_a_wrong_rule_fails_its_scenarios(
    server: LokiServer, start: int, alert: str, field: str, old: str, new: str
) -> None:
    """The scenarios are worth something only if each of these mistakes shows."""
    rules = log_rules()
    text: str = getattr(rules[alert], field)
    assert old in text
    rules[alert] = rules[alert].model_copy(update={field: text.replace(old, new)})
    assert fails(server, start, rules, alert)


@pytest.mark.parametrize(("key", "value"), [("severity", "info"), ("page", "true"), ("subject", "other")])
def test_a_wrong_label_fails_its_scenarios(server: LokiServer, start: int, key: str, value: str) -> None:
    rules = log_rules()
    labels = rules[BURST].labels.model_copy(update={key: value})
    rules[BURST] = rules[BURST].model_copy(update={"labels": labels})
    assert fails(server, start, rules, BURST)


def test_templates_that_scenarios_cannot_expand_are_an_error() -> None:
    assert loki_scenarios.expand("{{ $labels.a }}, {{ $value }}", {"a": "b"}, 1.5) == "b, 1.5"
    with pytest.raises(ValueError, match="no support"):
        loki_scenarios.expand("{{ query `up` }}", {}, 1)
