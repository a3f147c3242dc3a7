"""Workloads of the observed systems that must not be drained away; see disruption-budgets.yaml."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from rules.loader import RULES, read_yaml
from rules.model import Slug, Strict
from rules.problems import RulesError, describe


class DisruptionBudget(Strict):
    """How many pods of one workload must stay while nodes are drained."""

    namespace: Slug
    system: Slug
    app: Slug
    """Value of app.kubernetes.io/name on its pods."""
    min_available: Annotated[int, Field(ge=1, alias="minAvailable")]


def load(folder: Path = RULES) -> dict[str, DisruptionBudget]:
    """Name of the budget -> what it protects. Raises RulesError with every problem found."""
    where = "rules/disruption-budgets.yaml"
    try:
        document = read_yaml(folder / "disruption-budgets.yaml", where)
        return TypeAdapter(dict[Slug, DisruptionBudget]).validate_python(document, strict=True)
    except ValidationError as error:
        raise RulesError(describe(error, where)) from error
