"""AlertsOnMissingMetrics, made from the other rules: a rule that reads a metric which does not exist can never fire.

One rule, one result per metric, so that a stack can override it by its name like any other. By the name of the metric
alone: a value of a label may well be absent while all is well (no 5xx yet), the whole metric mostly not.
"""

import functools
import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any, cast

import promql_parser

from alerting.model import Annotations, Group, Labels, MetricRule, Metrics, RecordingRule, Rule, RuleFile, RuleSet

ALERT = "AlertsOnMissingMetrics"
FILE = "missing-metrics.yaml"
"""The file of the rule set, and for Prometheus, that holds the rule."""
# Prometheus makes these itself, for every target.
_OWN = re.compile(r"up|scrape_.+|ALERTS.*")
# As long as a metric may be away during an upgrade of what exposes it. `absent` for an hour is far cheaper than asking
# for an hour's samples of every series at each evaluation.
_FOR = "1h"
_INTERVAL = "1m"


def extended(rule_set: RuleSet, *, disabled: Collection[str] = ()) -> RuleSet:
    """The rule set with AlertsOnMissingMetrics for all its Prometheus alerts but the `disabled` ones.

    A rule set that has it already gets it anew. What nothing can be said about is left out: metrics that may be absent,
    and the only metric of a system whose file names no exporter for it. A recorded series stands for what it is made
    from.
    """
    metrics, readers = rule_set.metrics, _readers(rule_set, disabled)
    branches = [
        branch
        for metric, alerts in readers.items()
        if metric not in metrics.absent and (branch := _branch(metric, alerts, readers, metrics))
    ]
    files = {name: file for name, file in rule_set.files.items() if name != FILE}
    if branches:
        rule = _rule("\nor\n".join(branches) + "\n")
        group = Group[MetricRule](name="missing-metrics", interval=_INTERVAL, rules=[rule])
        files[FILE] = RuleFile[MetricRule](groups=[group])
    return rule_set.model_copy(update={"files": files})


def names(expression: str) -> list[str]:
    """Names of the metrics that an expression reads, each once, in its order; a selector without a name has none."""
    return list(dict.fromkeys(selector.name for selector in _selectors(expression) if selector.name))


def read_from(expression: str, recordings: Sequence[RecordingRule]) -> Iterator[int]:
    """Places in `recordings` of those whose series an expression reads; rules of one name are told apart by labels."""
    selectors = _selectors(expression)
    return (place for place, rule in enumerate(recordings) if any(_picks(selector, rule) for selector in selectors))


@functools.lru_cache(maxsize=4096)  # see alerting.expressions.problem
def _selectors(expression: str) -> tuple[promql_parser.VectorSelector, ...]:
    found: list[promql_parser.VectorSelector] = []

    def visit(node: object) -> bool:
        selector = node.vector_selector if isinstance(node, promql_parser.MatrixSelector) else node
        if isinstance(selector, promql_parser.VectorSelector):
            found.append(selector)
        return True

    promql_parser.walk(promql_parser.parse(expression), visit)
    return tuple(found)


_Readers = dict[str, list[Rule]]


def _readers(rule_set: RuleSet, disabled: Collection[str]) -> _Readers:
    """Metric -> the alerts that read it, themselves or through recorded series."""
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
    """Names of the metrics that an expression reads, with what recorded series are made from in their place.

    Each once, in its order. Rules that record under the same name are told apart by their labels.
    """
    recorded = {rule.record for rule in recordings}
    found: dict[str, None] = {}
    read: set[int] = set()  # a recording rule may read its own last result
    left = [expression]
    while left:
        text = left.pop(0)
        found.update((name, None) for name in names(text) if name not in recorded)
        new = [place for place in read_from(text, recordings) if place not in read]
        read.update(new)
        left += (recordings[place].expr for place in new)
    return list(found)


def _picks(selector: promql_parser.VectorSelector, rule: RecordingRule) -> bool:
    if selector.name != rule.record:
        return False
    labels, matchers = rule.labels or {}, cast(list[Any], selector.matchers.matchers)
    return not any(
        str(one.op).endswith("Equal")
        and not str(one.op).endswith("NotEqual")
        and labels.get(one.name, one.value) != one.value
        for one in matchers
    )


def _branch(metric: str, alerts: list[Rule], readers: _Readers, metrics: Metrics) -> str | None:
    there = _evidence(metric, alerts, readers, metrics)
    if there is None:
        return None
    named = ", ".join(alert.alert for alert in alerts)
    labelled = f'label_replace(absent({metric}), "metric", "{metric}", "", "")'
    return f'label_replace({labelled}, "alerts", "{named}", "", "") and on () {there}'


def _evidence(metric: str, alerts: list[Rule], readers: _Readers, metrics: Metrics) -> str | None:
    """A query with a result where the metric ought to be: its exporter is up, or its system has other metrics."""
    if target := metrics.exporter(metric):
        matchers = ", ".join(f'{label}="{value}"' for label, value in target.items())
        return f"up{{{matchers}}} == 1"
    systems = {alert.labels.system for alert in alerts}
    others = [
        other
        for other, users in readers.items()
        # What an exporter of its own exposes says nothing about the system: a node is there without any service. Nor
        # does what alerts of other systems read as well: it may be theirs.
        if other != metric and metrics.exporter(other) is None and {user.labels.system for user in users} <= systems
    ]
    return f'{{__name__=~"{"|".join(others)}"}}' if others else None


def _rule(expression: str) -> Rule:
    return Rule(
        alert=ALERT,
        expr=expression,
        for_=_FOR,
        labels=Labels(severity="info", system="platform", team="platform", page="false", subject="missing-metrics"),
        annotations=Annotations(
            summary="Alerts read {{ $labels.metric }}, which does not exist here",
            description="No series of {{ $labels.metric }} for an hour (absent is {{ $value }}), although what exposes "
            "it is there. These alerts cannot fire: {{ $labels.alerts }}.",
            dashboard_url="/d/platform-alerting",
        ),
    )
