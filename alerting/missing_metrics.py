"""Generates AlertsOnMissingMetrics from the other rules: an alert that reads a nonexistent metric can never fire.

It is one rule with one result per metric, so a stack can override it by name like any other alert. Only the metric's
name counts: a label value may be absent while all is well (no 5xx yet), but a whole metric usually may not. Alerts on
log lines have one result per stream selector; see alerting.log_streams.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, cast

import promql_parser

from alerting import log_streams
from alerting.expressions import selectors
from alerting.model import Annotations, Group, Labels, MetricRule, Metrics, RecordingRule, Rule, RuleFile, RuleSet

ALERT = "AlertsOnMissingMetrics"
FILE = "missing-metrics.yaml"
"""Name of the rule's file, in the rule set and for Prometheus."""
RECORD = "alerts:metric:absent"
"""Series of the metrics that are missing now, as Prometheus records them."""
# Prometheus itself writes these for every target, program that pushes, and alert.
_OWN = re.compile(r"up|scrape_.+|target_info|ALERTS.*")
# A metric may be absent this long while its exporter is upgraded. `absent` that holds for an hour is far cheaper than
# reading an hour of samples of every series at each evaluation.
_FOR = "1h"
# Nobody logs at night, and what a selector found in the last hours shows that it is right.
_QUIET = "1d"
_INTERVAL = "1m"


def extended(rule_set: RuleSet, *, disabled: Collection[str] = ()) -> RuleSet:
    """The rule set with AlertsOnMissingMetrics for all its alerts except the `disabled` ones.

    Rebuilds the alert if it is already there. Skips metrics that may be absent, and a system's only metric when no
    exporter is named for it, because nothing shows whether it should exist. Recorded series are replaced by the metrics
    they come from.
    """
    metrics, readers = rule_set.metrics, _readers(rule_set, disabled)
    branches = [
        branch
        for metric, alerts in readers.items()
        if metric not in metrics.absent and (branch := _branch(metric, alerts, readers, metrics))
    ]
    branches += [
        _log_branch(lines, alerts, readers, rule_set)
        for lines, alerts in log_streams.readers(rule_set, disabled).items()
    ]
    files = {name: file for name, file in rule_set.files.items() if name != FILE}
    if branches:
        rule = _rule("\nor\n".join(branches) + "\n")
        group = Group[MetricRule](name="missing-metrics", interval=_INTERVAL, rules=[rule])
        files[FILE] = RuleFile[MetricRule](groups=[group])
    return rule_set.model_copy(update={"files": files})


def recorded(groups: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rendered groups of `FILE` as Prometheus gets them: its long expression is recorded, and the alert reads that.

    A notification links to its alert's expression, and no server takes an address of 16,000 characters.
    """
    return [{**group, "rules": [part for rule in group["rules"] for part in _parts(rule)]} for group in groups]


def _parts(rule: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"record": RECORD, "expr": rule["expr"]}, {**rule, "expr": RECORD}]


def names(expression: str) -> list[str]:
    """Names of the metrics that an expression reads, each once, in order; selectors without a name are skipped."""
    return list(dict.fromkeys(selector.name for selector in selectors(expression) if selector.name))


def read_from(expression: str, recordings: Sequence[RecordingRule]) -> Iterator[int]:
    """Indexes of the `recordings` whose series an expression reads. Labels distinguish rules that share a name."""
    found = selectors(expression)
    return (index for index, rule in enumerate(recordings) if any(_picks(selector, rule) for selector in found))


_Readers = dict[str, list[Rule]]


def _readers(rule_set: RuleSet, disabled: Collection[str]) -> _Readers:
    """Metric -> the alerts that read it, directly or through recorded series."""
    recordings = rule_set.recordings()
    readers: _Readers = {}
    for rule in (rule for file in rule_set.files.values() for rule in file.alerts()):
        if rule.alert == ALERT or rule.alert in disabled:
            continue
        for metric in _raw(rule.expr, recordings):
            if not _OWN.fullmatch(metric):
                readers.setdefault(metric, []).append(rule)
    return readers


def _raw(expression: str, recordings: Sequence[RecordingRule]) -> list[str]:
    """Names of the metrics that an expression reads, each once, in order.

    Recorded series are replaced by the metrics they come from. Labels distinguish rules that record the same name.
    """
    recorded = {rule.record for rule in recordings}
    found: dict[str, None] = {}
    seen: set[int] = set()  # a recording rule may read its own last result
    pending = [expression]
    while pending:
        text = pending.pop(0)
        found.update((name, None) for name in names(text) if name not in recorded)
        new = [index for index in read_from(text, recordings) if index not in seen]
        seen.update(new)
        pending += (recordings[index].expr for index in new)
    return list(found)


def _picks(selector: promql_parser.VectorSelector, rule: RecordingRule) -> bool:
    if selector.name != rule.record:
        return False
    labels, matchers = rule.labels or {}, cast(list[Any], selector.matchers.matchers)
    return not any(
        str(matcher.op).endswith("Equal")
        and not str(matcher.op).endswith("NotEqual")
        and labels.get(matcher.name, matcher.value) != matcher.value
        for matcher in matchers
    )


def _branch(metric: str, alerts: list[Rule], readers: _Readers, metrics: Metrics) -> str | None:
    evidence = _evidence(metric, alerts, readers, metrics)
    if evidence is None:
        return None
    return _labelled(f"absent({metric})", metric, alerts, evidence)


def _log_branch(lines: str, alerts: Sequence[Rule], readers: _Readers, rule_set: RuleSet) -> str:
    """A result while Loki finds no such lines, although a system whose alerts read them has metrics."""
    systems = list(dict.fromkeys(alert.labels.system for alert in alerts))
    evidence = " or ".join(
        _others({system}, readers, rule_set.metrics) or f"({rule_set.systems[system].telemetry})" for system in systems
    )
    return _labelled(
        log_streams.absent(lines, _QUIET), lines, alerts, f"({evidence})" if len(systems) > 1 else evidence
    )


def _labelled(absent: str, read: str, alerts: Sequence[Rule], evidence: str) -> str:
    named = ", ".join(alert.alert for alert in alerts)
    text = read.replace("$", "$$").replace("\\", "\\\\").replace('"', '\\"')
    labelled = f'label_replace({absent}, "metric", "{text}", "", "")'
    return f'label_replace({labelled}, "alerts", "{named}", "", "") and on () {evidence}'


def _evidence(metric: str, alerts: list[Rule], readers: _Readers, metrics: Metrics) -> str | None:
    """A query with a result where the metric should exist: its exporter is up, or its system has other metrics."""
    if target := metrics.exporter(metric):
        matchers = ", ".join(f'{label}="{value}"' for label, value in target.items())
        return f"up{{{matchers}}} == 1"
    return _others({alert.labels.system for alert in alerts}, readers, metrics, but=metric)


def _others(systems: set[str], readers: _Readers, metrics: Metrics, *, but: str = "") -> str | None:
    """A query for the metrics of these systems, except one; None if they have no other."""
    others = [
        other
        for other, users in readers.items()
        # Metrics of a separate exporter prove nothing about the system: a node exists without any service. Neither do
        # metrics that alerts of other systems read as well, because they may belong to those systems.
        if other != but and metrics.exporter(other) is None and {user.labels.system for user in users} <= systems
    ]
    return f'{{__name__=~"{"|".join(others)}"}}' if others else None


def _rule(expression: str) -> Rule:
    return Rule(
        alert=ALERT,
        expr=expression,
        for_=_FOR,
        labels=Labels(severity="warning", system="platform", team="platform", page="false", subject="missing-metrics"),
        annotations=Annotations(
            summary="Alerts read {{ $labels.metric }}, and find nothing",
            description="For an hour {{ $labels.metric }} has found nothing (absent is {{ $value | humanize }}), "
            "although what should have it is there. These alerts cannot fire: {{ $labels.alerts }}.",
            dashboard_url="/d/platform-alerting",
        ),
    )
