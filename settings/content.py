"""The files that a stack is made of: rules, routes and dashboards, and what a stack changes about them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

from alerting import disruption_budgets, loader, routing
from alerting.disruption_budgets import DisruptionBudget
from alerting.model import AlertOverride, RuleSet
from alerting.problems import RulesError
from alerting.routing import Routing
from dashboards import files
from dashboards.files import DashboardFile, DashboardsError
from settings.apps import DATA_SOURCES
from settings.parsing import PROJECT


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What was loaded; None, or no dashboard, is what is wrong in itself."""

    rule_set: RuleSet | None
    routing: Routing | None
    dashboards: Sequence[DashboardFile]


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What a stack changes, by name of the alert and of the budget."""

    alerts: Mapping[str, AlertOverride]
    budgets: Mapping[str, DisruptionBudget]


_Item = TypeVar("_Item")


def load(folder: Path) -> tuple[Parts, list[str]]:
    """The parts, with rules and routes from `folder`; and a line for each problem."""
    problems: list[str] = []
    rule_set, routes = None, None
    try:
        rule_set = loader.load(folder)
    except RulesError as error:
        problems += error.problems
    try:
        routes = routing.load(folder)
    except RulesError as error:
        problems += error.problems
    dashboards: tuple[DashboardFile, ...] = ()
    try:
        dashboards = files.load(DATA_SOURCES, systems=rule_set.systems if rule_set else None)
    except DashboardsError as error:
        problems += error.problems
    return Parts(rule_set=rule_set, routing=routes, dashboards=dashboards), problems


def changes(typed: Mapping[str, object], rule_set: RuleSet | None) -> tuple[Changes, list[str]]:
    """What the typed keys change about these rules; and a line for each problem."""
    if not rule_set:
        return Changes(alerts={}, budgets={}), []
    alerts, problems = _changed(typed, "alertOverrides", partial(loader.overrides, rule_set=rule_set))
    budgets, found = _changed(typed, "disruptionBudgets", partial(disruption_budgets.of, rule_set.systems))
    return Changes(alerts=alerts, budgets=budgets), [*problems, *found]


def _changed(
    typed: Mapping[str, object], key: str, apply: Callable[[dict[str, Any]], dict[str, _Item]]
) -> tuple[dict[str, _Item], list[str]]:
    """What `apply` makes of an object key, and its problems; a value that is no object is reported elsewhere."""
    value = typed.get(key)
    if not isinstance(value, dict):
        return {}, []
    try:
        return apply(cast(dict[str, Any], value)), []
    except RulesError as error:
        return {}, [f"{PROJECT}:{key}.{problem}" for problem in error.problems]
