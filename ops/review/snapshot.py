"""What one commit would deploy to one stack: alerts with the stack's overrides, routes, dashboards and settings.

The files are read with the current code. A part that it cannot read is None, with the reason in `problems`.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from alerting import disruption_budgets, loader, routing
from alerting.disruption_budgets import DisruptionBudget
from alerting.model import AlertOverride, Rule, RuleSet
from alerting.problems import RulesError
from alerting.routing import Routing
from dashboards import files
from dashboards.files import DashboardsError
from ops.review import stack_values
from ops.review.stack_values import StackValues
from settings.apps import DATA_SOURCES
from settings.parsing import PROJECT

_Part = TypeVar("_Part")


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One alert as the stack would deploy it."""

    rule: Rule
    thresholds: Mapping[str, float]
    enabled: bool
    overridden: bool
    """Whether the stack's alertOverrides name it."""

    @property
    def labels(self) -> dict[str, str]:
        """The labels from the rule; series add more when it fires."""
        return self.rule.alert_labels


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The content of the rule files."""

    rule_set: RuleSet
    alerts: Mapping[str, Alert]
    budgets: Mapping[str, DisruptionBudget]

    def deployed(self) -> dict[str, Alert]:
        """The alerts that the stack does not disable."""
        return {name: alert for name, alert in self.alerts.items() if alert.enabled}


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """One commit for one stack. A part that could not be read is None."""

    name: str
    """The commit, as given on the command line."""
    stack: str
    rules: Rules | None
    routing: Routing | None
    dashboards: Mapping[str, dict[str, Any]] | None
    """Maps uids to the dashboards' JSON."""
    runbooks: Mapping[str, str]
    """Maps alerts to the text of their runbook."""
    templates: str
    """Text of the notification templates; empty if the commit has none."""
    values: StackValues | None
    """None if the commit has no such stack."""
    problems: tuple[str, ...]
    """The reasons why parts are None, one line each."""


def read(folder: Path, stack: str, *, name: str) -> Snapshot:
    """The snapshot of the checkout `folder` for `stack`."""
    problems: list[str] = []
    values = _part(lambda: stack_values.read(folder, stack), problems)
    if values is None and not problems:
        problems.append(f"Pulumi.{stack}.yaml: missing; its rules are shown without overrides")
    plain = values.plain if values else {}
    rules = _part(lambda: _rules(folder / "rules", plain), problems)
    routes = _part(lambda: routing.load(folder / "rules"), problems)
    dashboards = _part(lambda: _dashboards(folder / "dashboards/rendered", rules.rule_set if rules else None), problems)
    return Snapshot(
        name=name,
        stack=stack,
        rules=rules,
        routing=routes,
        dashboards=dashboards,
        runbooks={
            page.stem: page.read_text(encoding="utf-8")
            for page in sorted((folder / "rules" / loader.RUNBOOKS).glob("*.md"))
        },
        templates=_text(folder / "rules" / routing.TEMPLATES),
        values=values,
        problems=tuple(problems),
    )


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def _part(load: Callable[[], _Part], problems: list[str]) -> _Part | None:
    try:
        return load()
    except RulesError as error:
        problems += error.problems
    return None


def _rules(folder: Path, values: Mapping[str, Any]) -> Rules:
    if not folder.is_dir():
        raise RulesError(["rules: missing"])
    rule_set = loader.load(folder)
    changes = _changes("alertOverrides", values, lambda raw: loader.overrides(raw, rule_set))
    budgets = _changes("disruptionBudgets", values, lambda raw: disruption_budgets.of(rule_set.systems, raw))
    alerts: dict[str, Alert] = {}
    for name, rule in rule_set.rules().items():
        change, defaults = changes.get(name, AlertOverride()), rule_set.thresholds.get(name, {})
        alerts[name] = Alert(
            rule=loader.effective(rule, defaults, change),
            thresholds={**defaults, **change.thresholds},
            enabled=change.enabled,
            overridden=name in changes,
        )
    return Rules(rule_set=rule_set, alerts=alerts, budgets=budgets)


_Changes = TypeVar("_Changes")


def _changes(key: str, values: Mapping[str, Any], apply: Callable[[dict[str, Any]], _Changes]) -> _Changes:
    raw = values.get(key) or {}
    if not isinstance(raw, dict):
        raise RulesError([f"{PROJECT}:{key}: must be an object"])
    try:
        return apply(cast(dict[str, Any], raw))
    except RulesError as error:
        raise RulesError([f"{PROJECT}:{key}.{problem}" for problem in error.problems]) from error


def _dashboards(folder: Path, rule_set: RuleSet | None) -> dict[str, dict[str, Any]]:
    try:
        found = files.load(
            DATA_SOURCES, folder, {name: one.title for name, one in rule_set.systems.items()} if rule_set else None
        )
    except DashboardsError as error:
        raise RulesError(error.problems) from error
    return {one.uid: json.loads(one.text) for one in found}
