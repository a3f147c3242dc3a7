"""Alerts that cannot fire, whatever happens: what can be known of that before anything is deployed."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import promql_parser

from alerting import expressions, slo_rules
from alerting.durations import seconds
from alerting.model import RecordingRule, Rule, RuleSet
from alerting.slos import Slo

_RETENTION = {"prometheus": "prometheusRetention", "loki": "lokiRetention"}
# End of a threshold's name -> the most that what it is compared with can be.
_SHARES = {"_ratio": 1.0, "_points": 100.0}
_BUCKETS = "_bucket"
# Functions and aggregations whose result is never above the largest value that they read.
_NOT_ABOVE = frozenset({"avg_over_time", "last_over_time", "max_over_time", "min_over_time", "quantile_over_time"})
_NOT_ABOVE_ANY = frozenset({"avg", "max", "min"})


@dataclass(frozen=True, kw_only=True)
class Quantile:
    """A quantile of a histogram that an alert compares with a number."""

    buckets: promql_parser.VectorSelector
    """What it is calculated from."""
    limit: float
    """The alert needs a larger value."""
    reached: bool
    """Whether the limit itself is enough."""

    @property
    def histogram(self) -> str:
        """The metric's name in the contract."""
        return str(self.buckets.name).removesuffix(_BUCKETS)

    def within(self, bound: float) -> bool:
        """Whether the alert can fire if the last finite bucket ends at `bound`, which no quantile exceeds."""
        return self.limit < bound or (self.reached and self.limit == bound)


def objective_problems(objectives: Iterable[Slo]) -> Iterator[str]:
    """SLOs with so large a budget that not even a total outage spends it as fast as their page wants."""
    for slo in objectives:
        burns = slo_rules.thresholds([slo])[slo_rules.alert(slo, "BudgetBurnFast")].values()
        if min(burns) >= (most := _most(slo)):
            yield (
                f"rules/slos/{slo.system}.yaml: {slo.name}: objective: {slo.objective:g}: a total outage spends the "
                f"budget {most:g} times as fast as allowed, and the page needs more than {min(burns):g} times; "
                f"allowed: above {100 * (1 - 1 / min(burns)):.4g} with a window of {slo.window}"
            )


def threshold_problem(rule_set: RuleSet, alert: str, name: str, value: float) -> str | None:
    """Why the alert cannot fire with `value` as this threshold; None if it can, as far as the rules show."""
    for slo in rule_set.slos.values():
        if alert in slo_rules.thresholds([slo]) and value >= (most := _most(slo)):
            return f"{value:g}: a total outage spends the budget {most:g} times as fast as allowed; allowed: below that"
    default = expressions.number(rule_set.thresholds[alert][name])
    compared = re.search(rf"([<>]=?)\s*{re.escape(default)}(?![\w.])", rule_set.rules()[alert].expr)
    operator = compared[1] if compared else ""
    most = next((most for end, most in _SHARES.items() if name.endswith(end)), float("inf"))
    if (operator == ">" and value >= most) or (operator == ">=" and value > most):
        return (
            f"{value:g}: the alert compares a share of {most:g}; allowed: {'below' if operator == '>' else 'up to'} it"
        )
    if operator == "<" and value <= 0:
        return f"{value:g}: nothing is below 0; allowed: above 0"
    return None


def quantiles(expression: str, recordings: Sequence[RecordingRule] = ()) -> Iterator[Quantile]:
    """The comparisons of quantiles in a valid PromQL expression, also of those that are recorded first.

    Skips a quantile that is multiplied, because it has another unit then.
    """
    for node in expressions.nodes(expression):
        if not isinstance(node, promql_parser.BinaryExpr):
            continue
        sides = (node.lhs, node.rhs) if str(node.op) in (">", ">=") else (node.rhs, node.lhs)
        if str(node.op) in (">", ">=", "<", "<=") and isinstance(sides[1], promql_parser.NumberLiteral):
            for buckets, added in _quantiles(sides[0], recordings):
                yield Quantile(buckets=buckets, limit=sides[1].val, reached=added or str(node.op).endswith("="))


def quantile_problems(
    rules: Iterable[Rule], recordings: Sequence[RecordingRule], bounds: Mapping[str, float]
) -> Iterator[str]:
    """Alerts on a quantile that no request can exceed, one line each. `bounds`: histogram -> its last finite bucket."""
    for rule in rules:
        for one in quantiles(rule.expr, recordings) if rule.engine == "prometheus" else ():
            bound = bounds.get(one.histogram)
            if bound is not None and not one.within(bound):
                yield (
                    f"alert {rule.alert}: {one.limit:g}: no quantile of {one.histogram} exceeds {bound:g}, where its "
                    f"last finite bucket ends; allowed: below {bound:g}, or `enabled: false`"
                )


def range_problems(rule_set: RuleSet, retention: Mapping[str, str]) -> Iterator[str]:
    """Rules that read a longer time than their engine keeps, one line each. SLOs have a check of their own.

    `retention` is by engine.
    """
    generated = {alert for slo in rule_set.slos.values() for alert in slo_rules.thresholds([slo])}
    rules = [(rule.alert, rule.engine, rule.expr) for rule in rule_set.rules().values() if rule.alert not in generated]
    files = [file for name, file in rule_set.files.items() if not name.startswith("slos-")]
    recorded = [rule for file in files for rule in file.rules() if isinstance(rule, RecordingRule)]
    rules += [(rule.record, "prometheus", rule.expr) for rule in recorded]
    for name, engine, expression in rules:
        kept = retention[engine]
        longest = expressions.longest_read(expression)
        if longest > seconds(kept):
            hours = expressions.number(longest / 3600)
            yield (
                f"observability:{_RETENTION[engine]}: {kept} is shorter than the {hours}h that {name} reads; "
                f"allowed: at least {hours}h"
            )


def _most(slo: Slo) -> float:
    """The burn rate of a total outage."""
    return float(1 / slo.budget)


def _quantiles(
    node: object, recordings: Sequence[RecordingRule]
) -> Iterator[tuple[promql_parser.VectorSelector, bool]]:
    """Buckets of the quantiles of which an expression is never the less, and whether something may be added to them."""
    if (
        isinstance(node, promql_parser.ParenExpr)
        or (isinstance(node, promql_parser.AggregateExpr) and str(node.op) in _NOT_ABOVE_ANY)
        or isinstance(node, promql_parser.SubqueryExpr)
    ):
        yield from _quantiles(node.expr, recordings)
    elif isinstance(node, promql_parser.BinaryExpr) and str(node.op) in ("+", "and", "or", "unless"):
        added = str(node.op) == "+"
        for side in (node.lhs, node.rhs) if str(node.op) in ("+", "or") else (node.lhs,):
            yield from ((buckets, added or more) for buckets, more in _quantiles(side, recordings))
    elif isinstance(node, promql_parser.Call) and node.func.name == "histogram_quantile":
        found = {one.prettify(): one for one in expressions.selectors(node.args[1].prettify())}
        yield from ((one, False) for one in found.values() if str(one.name).endswith(_BUCKETS))
    elif isinstance(node, promql_parser.Call) and node.func.name in _NOT_ABOVE:
        yield from _quantiles(node.args[-1], recordings)
    elif isinstance(node, promql_parser.VectorSelector | promql_parser.MatrixSelector):
        selector = node.vector_selector if isinstance(node, promql_parser.MatrixSelector) else node
        for rule in recordings:
            if rule.record == selector.name:
                yield from _quantiles(promql_parser.parse(rule.expr), [one for one in recordings if one is not rule])
