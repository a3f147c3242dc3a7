"""Disruption budgets of the observed systems: defaults from rules/systems/, with a stack's overrides applied."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, ValidationError, model_validator

from alerting.base import Slug, Strict
from alerting.problems import RulesError, closest, path, reason
from alerting.systems import Budget, Pods, System


class DisruptionBudget(Budget):
    """The budget of one workload in a stack."""

    system: Slug


class BudgetOverride(Strict):
    """A stack's changes to one budget: one of the two numbers, or enabled: false."""

    min_available: Pods = Field(default=None, alias="minAvailable")
    max_unavailable: Pods = Field(default=None, alias="maxUnavailable")
    enabled: bool = True

    @model_validator(mode="after")
    def _is_used(self) -> "BudgetOverride":
        if (self.min_available or self.max_unavailable) and not self.enabled:
            raise ValueError("has a number, but enabled is false; allowed: one of the two")
        if self.min_available and self.max_unavailable:
            raise ValueError("has minAvailable and maxUnavailable; allowed: one of the two")
        return self


def of(
    systems: Mapping[str, System], changes: Mapping[str, Any], *, complete: bool = True
) -> dict[str, DisruptionBudget]:
    """Budgets by name, with a stack's `disruptionBudgets` applied.

    Unless the systems are `complete`, budgets that they do not have pass. Raises RulesError; each line starts with a
    path in `changes`.
    """
    budgets = {
        name: DisruptionBudget(system=system, **budget.model_dump())
        for system, content in systems.items()
        for name, budget in content.disruption_budgets.items()
    }
    problems: list[str] = []
    for name, value in changes.items():
        if name not in budgets:
            problems += [f"{name}: no such budget; {closest(name, tuple(budgets))}"] if complete else []
            continue
        try:
            change = BudgetOverride.model_validate(value)
        except ValidationError as error:
            problems += [
                f"{path((name, *item['loc']))}: {item['input']!r}: {reason(item['type'], item['msg'])}"
                + ("; known: enabled, maxUnavailable, minAvailable" if item["type"] == "extra_forbidden" else "")
                for item in error.errors()
            ]
            continue
        if not change.enabled:
            del budgets[name]
        elif change.min_available or change.max_unavailable:
            numbers = change.model_dump(include={"min_available", "max_unavailable"})
            budgets[name] = budgets[name].model_copy(update=numbers)
    if problems:
        raise RulesError(problems)
    return budgets
