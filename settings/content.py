"""The rules, routes and dashboards of a stack, loaded from files, and the stack's changes to them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

from alerting import contract, disruption_budgets, loader, routing
from alerting.contract import Contract
from alerting.disruption_budgets import DisruptionBudget
from alerting.model import AlertOverride, RuleSet
from alerting.problems import RulesError
from alerting.routing import Routing
from alerting.systems import titles
from dashboards import files
from dashboards.files import DashboardFile, DashboardsError
from settings.apps import DATA_SOURCES
from settings.parsing import PROJECT


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The loaded parts. A part that has problems is None or empty."""

    rule_set: RuleSet | None
    readable: RuleSet
    """The rules that have no problem: all, or what is left of `rule_set` when that is None."""
    routing: Routing | None
    contracts: Mapping[str, Contract]
    dashboards: Sequence[DashboardFile]


@dataclass(frozen=True, kw_only=True)
class Changes:
    """Changes of a stack, by name of the alert or of the disruption budget."""

    alerts: Mapping[str, AlertOverride]
    budgets: Mapping[str, DisruptionBudget]


_Item = TypeVar("_Item")


def load(folder: Path) -> tuple[Parts, list[str]]:
    """Loads rules and routes from `folder`, and the dashboards. Also returns one line for each problem."""
    problems: list[str] = []
    routes = None
    readable, rule_problems = loader.read(folder)
    problems += rule_problems
    rule_set = None if rule_problems else readable
    try:
        routes = routing.load(folder)
    except RulesError as error:
        problems += error.problems
    contracts: Mapping[str, Contract] = {}
    try:
        contracts = contract.load(folder)
    except RulesError as error:
        problems += error.problems
    dashboards: tuple[DashboardFile, ...] = ()
    try:
        dashboards = files.load(DATA_SOURCES, titles=titles(folder))
    except DashboardsError as error:
        problems += error.problems
    return Parts(
        rule_set=rule_set, readable=readable, routing=routes, contracts=contracts, dashboards=dashboards
    ), problems


def changes(typed: Mapping[str, object], parts: Parts) -> tuple[Changes, list[str]]:
    """The changes that a stack's typed keys make to the rules. Also returns one line for each problem."""
    complete = parts.rule_set is not None
    overrides = partial(loader.overrides, rule_set=parts.readable, complete=complete)
    alerts, alert_problems = _changed(typed, "alertOverrides", overrides)
    budgets_of = partial(disruption_budgets.of, parts.readable.systems, complete=complete)
    budgets, budget_problems = _changed(typed, "disruptionBudgets", budgets_of)
    return Changes(alerts=alerts, budgets=budgets), [*alert_problems, *budget_problems]


def _changed(
    typed: Mapping[str, object], key: str, apply: Callable[[dict[str, Any]], dict[str, _Item]]
) -> tuple[dict[str, _Item], list[str]]:
    """Applies `apply` to the object under `key`, and returns the result and its problems.

    Any other value counts as empty here; settings/parsing.py reports it.
    """
    value = typed.get(key)
    if not isinstance(value, dict):
        return {}, []
    try:
        return apply(cast(dict[str, Any], value)), []
    except RulesError as error:
        return {}, [f"{PROJECT}:{key}.{problem}" for problem in error.problems]
