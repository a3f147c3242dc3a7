"""Counts how often something happened: turns the `increase` that rules and panels write into the form that is deployed.

`increase` of Prometheus misses what a series that starts with it has counted, forgets the value before a gap, and
extrapolates. So rules are deployed with a recording rule, which adds up what was counted since the evaluation before,
and read the sum of its results over their window. docs/adr/0007-counting.md has the reasons.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import cast

import promql_parser

from alerting.base import Document
from alerting.durations import seconds

# How far Prometheus looks for a series' value at the step before: its own look-back.
_REACH = "5m"
# A job that was scraped this long ago has been scraped as a whole: targets are scraped at different moments of an
# interval, so a Prometheus that has just started would take the last of them for new. The interval is at most 2m.
_SETTLED = 180.0
PANEL_STEP = "1m"
"""Step of panels, which count by a subquery."""
_SELECTOR = r'(?P<metric>[A-Za-z_:][\w:]*)\s*(?:\{(?P<matchers>(?:[^{}"]|"(?:\\.|[^"\\])*")*)\})?'
_COUNT = re.compile(rf"(?<![\w:])increase\(\s*{_SELECTOR}\s*(?P<range>\[[^\]:]+\](?:\s+offset\s+\w+)?)\s*\)")
_SUM = re.compile(r"sum\s*(?:by\s*\((?P<by>[^()]*)\)\s*)?\($")
_RATED = re.compile(r".+_(bucket|seconds_total)")


@dataclass(frozen=True, kw_only=True)
class Count:
    """One counter, as a rule counts it."""

    metric: str
    matchers: str
    by: tuple[str, ...]
    """Labels of the sum."""

    def record(self, group: str, step: str) -> Document:
        """The recording rule; `step` is the interval at which its group is evaluated."""
        # `counter` keeps two counters apart that one sum joins with `or`.
        labels = {"group": group, "counter": self.metric} | ({"of": self.matchers} if self.matchers else {})
        selector = f"{self.metric}{{{self.matchers}}}" if self.matchers else self.metric
        return {"record": self._name, "expr": f"{grown(selector, step, ', '.join(self.by))}\n", "labels": labels}

    def read(self, group: str, window: str) -> str:
        """What was counted within `window`, such as `[5m]` or `[10m] offset 10m`."""
        of = self.matchers.replace("\\", "\\\\").replace('"', '\\"')  # empty: not the series that count only some
        return f'sum_over_time({self._name}{{group="{group}", of="{of}"}}{window})'

    @property
    def _name(self) -> str:
        return f"{'_'.join(self.by) or 'cluster'}:{self.metric.replace(':', '_')}:new"


def grown(selector: str, step: str, by: str = "") -> str:
    """PromQL: what the selected counters have counted since `step` ago, summed `by` these labels.

    A counter that fell has started again at 0. One that did not exist before started at 0 as well, if its target
    answered then, or is new in a job that was already scraped. What nobody has seen grow does not count.
    """
    summed = f"sum by ({by})" if by else "sum"
    settled = f"{seconds(step) + _SETTLED:.0f}s"
    return f"""{summed} (
  last_over_time({selector}[{step}]) - last_over_time({selector}[{_REACH}] offset {step}) >= 0
  or
  last_over_time({selector}[{step}])
    unless on (job, instance) max_over_time(up[{_REACH}] offset {step}) == 0
    and on (job) last_over_time(up[{_REACH}] offset {settled})
)"""


def panel(selector: str, window: str, by: str = "") -> str:
    """PromQL for a panel: what the selected counters have counted within the window, counted as rules do."""
    return f"sum_over_time(({grown(selector, PANEL_STEP, by)})[{window}:{PANEL_STEP}])"


def deployed(groups: Iterable[Document], interval: str) -> list[Document]:
    """Rule groups as Prometheus runs them. `interval` is that of groups without one of their own.

    Valid only for expressions without a `problem`.
    """
    return [_group(group, str(group.get("interval", interval))) for group in groups]


def problem(expression: str) -> str | None:
    """Why the growth of a counter cannot be counted as written; None if it can. The expression must be valid."""
    if expression.count("increase(") != len(_COUNT.findall(expression)):
        return "increase() counts a selector that begins with a metric's name, such as increase(errors_total[5m])"
    return _problem(promql_parser.parse(expression), summed=False)


def _group(group: Document, step: str) -> Document:
    counts: dict[Count, None] = {}
    rules: list[Document] = []
    for rule in group["rules"]:
        found = list(_counts(rule["expr"]))
        counts.update((count, None) for _, count, _ in found)
        text = rule["expr"]
        for match, count, window in reversed(found):
            text = text[: match.start()] + count.read(group["name"], window) + text[match.end() :]
        rules.append(rule | {"expr": text})
    return group | {"rules": [*(count.record(group["name"], step) for count in counts), *rules]}


def counts(expression: str) -> list[Count]:
    """What a written expression counts, in its order."""
    return [count for _, count, _ in _counts(expression)]


def _counts(text: str) -> Iterator[tuple[re.Match[str], Count, str]]:
    for match in _COUNT.finditer(text):
        by = tuple(label.strip() for label in _summed_by(text, match.start()).split(",") if label.strip())
        matchers = " ".join((match["matchers"] or "").split())
        yield match, Count(metric=match["metric"], matchers=matchers, by=by), match["range"]


def _summed_by(text: str, end: int) -> str:
    """Labels of the sum around this place: of the nearest opening parenthesis that belongs to a sum."""
    depth = 0
    for place in range(end - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(text[place], 0)
        if depth < 0:
            if match := _SUM.search(text[: place + 1]):
                return match["by"] or ""
            depth = 0
    return ""


def _problem(node: object, *, summed: bool) -> str | None:
    if isinstance(node, promql_parser.ParenExpr):
        return _problem(node.expr, summed=summed)
    if isinstance(node, promql_parser.AggregateExpr):
        adds = str(node.op) == "sum" and (not node.modifier or node.modifier.type == promql_parser.AggModifierType.By)
        return _problem(node.expr, summed=adds)
    if isinstance(node, promql_parser.BinaryExpr):
        joined = summed and str(node.op) == "or"
        return _problem(node.lhs, summed=joined) or _problem(node.rhs, summed=joined)
    if isinstance(node, promql_parser.UnaryExpr | promql_parser.SubqueryExpr):
        return _problem(node.expr, summed=False)
    return _call_problem(node, summed=summed) if isinstance(node, promql_parser.Call) else None


def _call_problem(call: promql_parser.Call, *, summed: bool) -> str | None:
    name, arguments = call.func.name, cast(list[object], call.args)
    if name == "increase" and not summed:
        return "increase() must be summed at once; allowed: sum by (…) (increase(…)), also with `or` inside"
    if name in ("rate", "irate"):
        read = arguments[0]
        metric = read.vector_selector.name if isinstance(read, promql_parser.MatrixSelector) else ""
        if not _RATED.fullmatch(metric or ""):
            return (
                f"{name}() of {metric or 'a subquery'} misses what new series have counted; "
                "allowed: increase(), and rate() of buckets (_bucket) and of times (_seconds_total)"
            )
    inside = summed and name == "label_replace"
    return next((found for one in arguments if (found := _problem(one, summed=inside))), None)
