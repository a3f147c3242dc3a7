"""Extracts the selectors from the expressions of rules, and of panels that show 0 when there is no data. Pure.

A rule without results is normal; a rule whose selectors find nothing is not.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import promql_parser

from alerting import expressions, log_streams, reach
from alerting.missing_metrics import ALERT
from alerting.model import RecordingRule, Rule
from ops.queries.quiet_selectors import Matcher, Selector, quoted

Engine = Literal["prometheus", "loki"]

_OPERATORS = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}
_LINE_FILTER = re.compile(r"""\|[=~]\s*(?!""|``)\S""")
# Functions of PromQL that return a value when there are no series.
_FROM_NOTHING = ("vector", "absent", "absent_over_time")
_COMPARISONS = ("==", "!=", ">", "<", ">=", "<=")


@dataclass(frozen=True, kw_only=True)
class RuleQuery:
    """The expression of a rule as the stack evaluates it."""

    alert: str
    """Name of the alert or of the recorded series."""
    engine: Engine
    expression: str
    selectors: tuple[Selector, ...]
    quantiles: tuple[reach.Quantile, ...] = ()
    """The quantiles that the alert compares with a number."""

    def buckets(self, one: reach.Quantile) -> Selector:
        """The selector of what a quantile is calculated from."""
        return _promql(one.buckets)


def read(rules: Mapping[str, Rule], recordings: Iterable[RecordingRule] = ()) -> list[RuleQuery]:
    """The alert rules, then the recording rules.

    AlertsOnMissingMetrics gets no selectors, because it fires on absent metrics.
    """
    found: list[RuleQuery] = []
    recordings = tuple(recordings)
    for alert, rule in rules.items():
        engine: Engine = "loki" if getattr(rule, "engine", "prometheus") == "loki" else "prometheus"
        of = logql_selectors if engine == "loki" else promql_selectors
        found.append(
            RuleQuery(
                alert=alert,
                engine=engine,
                expression=rule.expr,
                selectors=() if alert == ALERT else tuple(of(rule.expr)),
                quantiles=() if engine == "loki" else tuple(reach.quantiles(rule.expr, recordings)),
            )
        )
    for rule in recordings:
        selectors = tuple(promql_selectors(rule.expr))
        found.append(RuleQuery(alert=rule.record, engine="prometheus", expression=rule.expr, selectors=selectors))
    return found


def promql_selectors(expression: str) -> list[Selector]:
    """The distinct selectors in a PromQL expression, in order. Raises ValueError if it does not parse."""
    return list(dict.fromkeys(map(_promql, expressions.selectors(expression))))


def fills_gaps(expression: str) -> bool:
    """Whether PromQL returns values in place of absent series, so that an answer proves nothing.

    Raises ValueError if it does not parse.
    """
    return any(map(_is_filler, expressions.nodes(expression)))


def compares(expression: str) -> bool:
    """Whether PromQL filters values by a comparison, so that an empty answer may be good news.

    Raises ValueError if it does not parse.
    """
    return any(map(_is_filter, expressions.nodes(expression)))


def _is_filler(node: object) -> bool:
    if isinstance(node, promql_parser.BinaryExpr):
        return str(node.op) == "or"
    return isinstance(node, promql_parser.Call) and node.func.name in _FROM_NOTHING


def _is_filter(node: object) -> bool:
    if not (isinstance(node, promql_parser.BinaryExpr) and str(node.op) in _COMPARISONS):
        return False
    return not (node.modifier and node.modifier.return_bool)


def picks_lines(expression: str) -> bool:
    """Whether LogQL filters lines by a text or a label, so that an empty answer may be good news."""
    return bool(_LINE_FILTER.search(expressions.without_texts(expression))) or log_streams.filters_labels(expression)


def logql_selectors(expression: str) -> list[Selector]:
    """The distinct stream selectors in a LogQL expression, in order.

    Each is followed by one selector per label that a filter on its lines reads; a stream without that label gives none.
    """
    return [
        Selector(text=text)
        for stream in log_streams.streams(expression)
        for text in (stream.selector, *(f'{stream.selector} | {label}!=""' for label in stream.labels))
    ]


def _promql(selector: promql_parser.VectorSelector) -> Selector:
    matchers: list[Any] = list(selector.matchers.matchers)
    named = [one.value for one in matchers if one.name == "__name__" and _operator(one) in ("=", "=~")]
    others = [one for one in matchers if not (named and one.name == "__name__")]
    texts = tuple(Matcher(one.name, f"{one.name}{_operator(one)}{quoted(one.value)}") for one in others)
    return Selector.of(selector.name or "".join(named[:1]), texts)


def _operator(matcher: Any) -> str:  # noqa: ANN401 -- the parser has no types
    return _OPERATORS[str(matcher.op).rsplit(".", 1)[-1]]
