"""Checks that every named threshold is a number of its alert's expression."""

from collections.abc import Iterator

from alerting import expressions, slo_rules, slos, systems
from alerting.model import RuleSet
from alerting.problems import closest


def problems(rule_set: RuleSet, *, complete: bool = True) -> Iterator[str]:
    """Thresholds that their alert does not have, or that cannot be told apart, one line each.

    Unless the rule set is `complete`, thresholds of alerts that it does not have pass.
    """
    rules = rule_set.rules()
    generated = slo_rules.thresholds(rule_set.slos.values())
    named = [
        (name, f"{systems.place(name)}: thresholds.{alert}", alert, thresholds)
        for name, system in rule_set.systems.items()
        for alert, thresholds in system.thresholds.items()
    ]
    named += [
        (rules[alert].labels.system, f"{slos.place(rules[alert].labels.system)}: {alert}", alert, thresholds)
        for alert, thresholds in generated.items()
    ]
    for system, where, alert, thresholds in named:
        if alert not in rules:
            if complete:
                yield f"{where}: no such alert; {closest(alert, tuple(rules))}"
            continue
        if (owner := rules[alert].labels.system) != system:
            yield f"{where}: the alert belongs to the system {owner}; allowed: in {systems.place(owner)}"
            continue
        if alert in generated and thresholds is not generated[alert]:
            names = ", ".join(generated[alert])
            yield f"{where}: generated from rules/slos, with the thresholds {names}; allowed: none here"
            continue
        for name, value in thresholds.items():
            count = expressions.occurrences(rules[alert].expr, value)
            if count != 1:
                shown = expressions.number(value)
                yield f"{where}.{name}: {shown} must appear exactly once in its expr, not {count} times"
        if len(set(thresholds.values())) < len(thresholds):
            yield f"{where}: two thresholds have the same default, so its expr cannot distinguish them"
