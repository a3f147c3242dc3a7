"""Alerts that cannot fire, whatever happens: what can be known of that before anything is deployed."""

import re
from collections.abc import Iterable, Iterator, Mapping

from alerting import expressions, slo_rules
from alerting.durations import seconds
from alerting.model import RecordingRule, RuleSet
from alerting.slos import Slo

_RANGE = re.compile(r"\[\s*(\d\w*)\s*(?::[^\]]*)?\](?:\s*offset\s+(\d\w*))?")
_RETENTION = {"prometheus": "prometheusRetention", "loki": "lokiRetention"}


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


def burn_problem(rule_set: RuleSet, alert: str, value: float) -> str | None:
    """Why a burn rate of more than `value` cannot happen; None if it can, or if it is no alert on a burn rate."""
    for slo in rule_set.slos.values():
        if alert in slo_rules.thresholds([slo]) and value >= (most := _most(slo)):
            return f"{value:g}: a total outage spends the budget {most:g} times as fast as allowed; allowed: below that"
    return None


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
        longest = max((_length(*found) for found in _RANGE.findall(expression)), default=0.0)
        if longest > seconds(kept):
            hours = expressions.number(longest / 3600)
            yield (
                f"observability:{_RETENTION[engine]}: {kept} is shorter than the {hours}h that {name} reads; "
                f"allowed: at least {hours}h"
            )


def _most(slo: Slo) -> float:
    """The burn rate of a total outage."""
    return float(1 / slo.budget)


def _length(window: str, offset: str) -> float:
    return seconds(window) + (seconds(offset) if offset else 0.0)
