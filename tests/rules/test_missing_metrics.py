"""AlertsOnMissingMetrics: from which metrics it is made, and what is left out on purpose."""

import re

import pytest

from rules import loader, missing_metrics
from rules.missing_metrics import ALERT, FILE
from rules.model import Metrics, RuleSet
from rules.problems import RulesError


def watched(rule_set: RuleSet) -> set[str]:
    rules = rule_set.rules()
    return set(re.findall(r"absent\((\w+)\)", rules[ALERT].expr)) if ALERT in rules else set()


@pytest.fixture
def rule_set() -> RuleSet:
    return loader.load()


def test_names_are_found_inside_functions_ranges_and_offsets() -> None:
    text = 'rate(a[5m]) / on () (b offset 5m) unless max_over_time(c{x="y"}[1h:1m]) or {__name__=~"d.*"} or a'
    assert missing_metrics.names(text) == ["a", "b", "c"]


def test_every_metric_of_the_rules_is_watched_or_has_a_reason_not_to_be(rule_set: RuleSet) -> None:
    read = {
        name
        for file in rule_set.files.values()
        for group in file.groups
        for rule in group.rules
        for name in missing_metrics.names(rule.expr)
    } - {"up"}
    assert read - watched(rule_set) == read & set(rule_set.metrics.absent)


def test_reasons_are_given_for_metrics_that_rules_read(rule_set: RuleSet) -> None:
    text = " ".join(rule.expr for rule in rule_set.rules().values())
    assert [name for name in rule_set.metrics.absent if name not in text] == []


def test_doing_it_twice_changes_nothing(rule_set: RuleSet) -> None:
    assert missing_metrics.extended(rule_set) == rule_set
    assert list(rule_set.files).count(FILE) == 1


def test_an_alert_that_a_stack_disables_misses_nothing(rule_set: RuleSet) -> None:
    less = missing_metrics.extended(rule_set, disabled=["JobQueueDepthHigh"])
    assert watched(rule_set) - watched(less) == {"jq_queue_depth"}


def test_a_node_is_no_proof_that_a_service_is_there(rule_set: RuleSet) -> None:
    """With an exporter of their own the metrics of a system are no evidence for the others."""
    metrics = Metrics(exporters={"jq_workers_": {"app": "server"}}, absent={})
    rule = missing_metrics.extended(rule_set.model_copy(update={"metrics": metrics})).rules()[ALERT].expr
    branch = next(line for line in rule.splitlines() if "absent(jq_queue_depth)" in line)
    assert "jq_workers_active" not in branch
    assert 'up{app="server"} == 1' in next(line for line in rule.splitlines() if "absent(jq_workers_active)" in line)


def test_the_longest_start_names_the_exporter() -> None:
    metrics = Metrics(exporters={"a_": {"app": "one"}, "a_b_": {"app": "two"}}, absent={})
    assert metrics.exporter("a_b_c") == {"app": "two"}
    assert metrics.exporter("a_c") == {"app": "one"}
    assert metrics.exporter("b_a_") is None


def test_a_wrong_file_is_one_clear_error() -> None:
    with pytest.raises(RulesError, match=r"rules/metrics\.yaml: exporter: unknown field"):
        missing_metrics.parse({"exporters": {}, "absent": {}, "exporter": {}}, "rules/metrics.yaml")
