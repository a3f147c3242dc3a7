"""AlertsOnMissingMetrics: from which metrics it is made, and what is left out on purpose."""

import re

import promql_parser
import pytest
import yaml

from alerting import loader, log_streams, missing_metrics
from alerting.missing_metrics import ALERT, FILE, RECORD
from alerting.model import AlertOverride, Group, Links, LogRule, Metrics, RecordingRule, Rule, RuleFile, RuleSet
from tests.rules import fixed_rules

LINKS = Links(runbook_base_url="https://runbooks.test", dashboard_base_url="https://grafana.test/")


def watched(rule_set: RuleSet) -> set[str]:
    rules = rule_set.rules()
    return set(re.findall(r"absent\((\w+)\)", rules[ALERT].expr)) if ALERT in rules else set()


def read_by_alerts(rule: RecordingRule, expressions: list[str]) -> bool:
    return any(rule.record in missing_metrics.names(text) for text in expressions)


@pytest.fixture
def rule_set() -> RuleSet:
    return fixed_rules.load()


def test_names_are_found_inside_functions_ranges_and_offsets() -> None:
    text = 'rate(a[5m]) / on () (b offset 5m) unless max_over_time(c{x="y"}[1h:1m]) or {__name__=~"d.*"} or a'
    assert missing_metrics.names(text) == ["a", "b", "c"]


def test_every_metric_of_the_rules_is_watched_or_has_a_reason_not_to_be() -> None:
    rule_set = loader.load()
    recorded = {rule.record for rule in rule_set.recordings()}
    expressions = [rule.expr for file in rule_set.files.values() for rule in file.alerts()]
    expressions += [rule.expr for rule in rule_set.recordings() if read_by_alerts(rule, expressions)]
    read = {name for text in expressions for name in missing_metrics.names(text)} - {"target_info", "up"} - recorded
    assert read - watched(rule_set) == read & set(rule_set.metrics.absent)


def test_reasons_are_given_for_metrics_that_rules_read() -> None:
    rule_set = loader.load()
    rules = (*rule_set.rules().values(), *rule_set.recordings())
    text = " ".join(rule.expr for rule in rules)
    assert [name for name in rule_set.metrics.absent if name not in text] == []


def test_doing_it_twice_changes_nothing(rule_set: RuleSet) -> None:
    assert missing_metrics.extended(rule_set) == rule_set
    assert list(rule_set.files).count(FILE) == 1


def test_an_alert_that_a_stack_disables_misses_nothing(rule_set: RuleSet) -> None:
    less = missing_metrics.extended(rule_set, disabled=["OrdersDepthHigh"])
    assert watched(rule_set) - watched(less) == {"orders_queue_depth"}


def test_a_node_is_no_proof_that_a_service_is_there(rule_set: RuleSet) -> None:
    """With an exporter of their own the metrics of a system are no evidence for the others."""
    metrics = Metrics(exporters={"orders_workers_": {"app": "server"}}, absent={})
    rule = missing_metrics.extended(rule_set.model_copy(update={"metrics": metrics})).rules()[ALERT].expr
    branch = next(line for line in rule.splitlines() if "absent(orders_queue_depth)" in line)
    assert "orders_workers_active" not in branch
    assert 'up{app="server"} == 1' in next(
        line for line in rule.splitlines() if "absent(orders_workers_active)" in line
    )


def test_the_longest_start_names_the_exporter() -> None:
    metrics = Metrics(exporters={"a_": {"app": "one"}, "a_b_": {"app": "two"}}, absent={})
    assert metrics.exporter("a_b_c") == {"app": "two"}
    assert metrics.exporter("a_c") == {"app": "one"}
    assert metrics.exporter("b_a_") is None


def recorded(record: str, expression: str, **labels: str) -> RecordingRule:
    return RecordingRule(record=record, expr=expression, labels=labels or None)


def extended_with(rule_set: RuleSet, expression: str, *recordings: RecordingRule) -> RuleSet:
    """The rules with these recordings, and OrdersDepthHigh with another expression."""
    file = rule_set.files["orders.yaml"]
    (group,) = file.groups
    rules = [
        one.model_copy(update={"expr": expression}) if name(one) == "OrdersDepthHigh" else one for one in group.rules
    ]
    group = group.model_copy(update={"rules": [*recordings, *rules]})
    files = rule_set.files | {"orders.yaml": file.model_copy(update={"groups": [group]})}
    return missing_metrics.extended(rule_set.model_copy(update={"files": files}))


def name(rule: Rule | RecordingRule) -> str:
    return rule.alert if isinstance(rule, Rule) else rule.record


def test_a_recorded_series_stands_for_what_it_is_made_from(rule_set: RuleSet) -> None:
    inner = recorded("queue:depth:max", "max by (queue) (orders_depth_raw) or queue:depth:max")  # keeps its last result
    outer = recorded("queue:depth:ratio", "queue:depth:max / sum(orders_limit)")
    found = extended_with(rule_set, "queue:depth:ratio > 1000", inner, outer)
    assert {"orders_depth_raw", "orders_limit"} <= watched(found)
    assert not [metric for metric in watched(found) if ":" in metric]
    text = found.rules()[ALERT].expr
    assert 'absent(orders_limit), "metric", "orders_limit", "", ""), "alerts", "OrdersDepthHigh"' in text
    assert "orders_queue_depth" not in watched(found)


def test_recordings_of_one_name_are_told_apart_by_their_labels(rule_set: RuleSet) -> None:
    both = (
        recorded("queue:depth:max", "max(m_one)", of="one"),
        recorded("queue:depth:max", "max(m_two)", of="two"),
    )
    found = extended_with(rule_set, 'queue:depth:max{of="one"} > 1000', *both)
    assert {"m_one", "m_two"} & watched(found) == {"m_one"}
    found = extended_with(rule_set, "queue:depth:max > 1000", *both)
    assert {"m_one", "m_two"} <= watched(found)


def test_what_prometheus_makes_itself_is_not_missed(rule_set: RuleSet) -> None:
    found = extended_with(rule_set, "upgrades > 1000 and on () up and on () scrape_duration_seconds and on () ALERTS")
    assert watched(found) - watched(rule_set) == {"upgrades"}


def test_what_another_system_reads_as_well_is_no_proof(rule_set: RuleSet) -> None:
    """An alert on orders that reads a metric of the uploads: uploads alone are no orders."""
    found = extended_with(rule_set, "orders_queue_depth > 1000 and on () uploads_total")
    branch = next(line for line in found.rules()[ALERT].expr.splitlines() if "absent(orders_workers_active)" in line)
    assert "uploads_total" not in branch
    assert "orders_completed_total" in branch


def test_the_link_to_its_query_is_short_and_a_weekend_does_not_mute_it() -> None:
    """A notification links to the alert's expression; a load balancer refuses 16,000 characters."""
    rule_set = loader.load()
    (group,) = yaml.safe_load(loader.render(rule_set, {}, LINKS, interval="30s")[FILE])["groups"]
    record, alert = group["rules"]
    assert record == {"record": RECORD, "expr": rule_set.rules()[ALERT].expr}
    assert (alert["alert"], alert["expr"], alert["labels"]["severity"]) == (ALERT, RECORD, "warning")


def logs(rule_set: RuleSet, **expressions: str) -> RuleSet:
    """The rules with these alerts on log lines, by name."""
    like = next(rule for rule in loader.load().rules().values() if isinstance(rule, LogRule))
    labels = like.labels.model_copy(update={"system": "orders"})
    rules = [
        like.model_copy(update={"alert": name, "expr": text, "labels": labels}) for name, text in expressions.items()
    ]
    files = {"orders.yaml": RuleFile[LogRule](groups=[Group[LogRule](name="orders-logs", rules=rules)])}
    return missing_metrics.extended(rule_set.model_copy(update={"loki_files": files}))


def test_every_alert_on_log_lines_is_watched() -> None:
    rule_set = loader.load()
    named = {rule.alert for rules in log_streams.readers(rule_set).values() for rule in rules}
    assert named == {name for name, rule in rule_set.rules().items() if rule.engine == "loki"}
    text = rule_set.rules()[ALERT].expr
    for lines in log_streams.readers(rule_set):
        assert log_streams.absent(lines, "1d") in text


@pytest.mark.parametrize(
    ("expression", "lines"),
    [
        ('sum(count_over_time({a="b"}[5m])) > 1', ['{a="b"}']),
        ('sum(rate({a="b"} |= "x | y=z" | level="e" [5m])) > 1', ['{a="b"} | level!=""']),
        # Labels that a parser makes may be missing; those before it are not.
        ('sum(rate({a="b"} | level="e" | json | status>=500 [5m])) > 1', ['{a="b"} | level!=""']),
        ('sum(rate({a="b"} | x="1" [5m])) / sum(rate({a="b"} | y="2" [5m])) > 1', ['{a="b"} | x!="" | y!=""']),
        ('sum(rate({a="b"}[5m])) > sum(rate({c="d"}[5m]))', ['{a="b"}', '{c="d"}']),
    ],
)
def test_what_an_alert_needs_of_the_logs(rule_set: RuleSet, expression: str, lines: list[str]) -> None:
    found = logs(rule_set, OrdersLogs=expression)
    assert list(log_streams.readers(found)) == lines
    deployed = loader.render_loki(found, {}, LINKS)[log_streams.FILE]
    assert [one["rules"][0]["expr"] for one in yaml.safe_load(deployed)["groups"]] == [
        f"absent_over_time({one} [5m])\n" for one in lines
    ]


def test_an_alert_on_logs_that_a_stack_disables_is_not_watched(rule_set: RuleSet) -> None:
    found = logs(rule_set, OrdersLogs='sum(rate({a="b"}[5m])) > 1', OrdersOtherLogs='sum(rate({c="d"}[5m])) > 1')
    off = {"OrdersLogs": AlertOverride(enabled=False)}
    assert "a=" not in loader.render_loki(found, off, LINKS)[log_streams.FILE]
    text = loader.render(found, off, LINKS, interval="30s")[FILE]
    assert ("OrdersLogs" in text, "OrdersOtherLogs" in text) == (False, True)


def test_a_selector_is_shown_as_it_is_written(rule_set: RuleSet) -> None:
    """In PromQL a text has escapes, and `$` stands for a group of a regular expression."""
    text = logs(rule_set, OrdersLogs=r'sum(rate({a=~"b\d+$"}[5m])) > 1').rules()[ALERT].expr
    assert r'"{a=~\"b\\d+$$\"}"' in text
    promql_parser.parse(text)


def test_only_the_system_of_an_alert_proves_that_there_should_be_lines(rule_set: RuleSet) -> None:
    text = logs(rule_set, OrdersLogs='sum(rate({a="b"}[5m])) > 1').rules()[ALERT].expr
    branch = next(line for line in text.splitlines() if log_streams.RESULTS in line)
    assert "orders_queue_depth" in branch
    assert "uploads_total" not in branch
