"""The observed systems: everything about one that is no rule, in rules/systems/<system>.yaml."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, field_validator

from alerting import expressions
from alerting.base import Slug, Strict, Thresholds
from alerting.files import read_yaml
from alerting.problems import RulesError, describe

FOLDER = "systems"


class Budget(Strict):
    """How many pods of one workload must stay while nodes are drained."""

    namespace: Slug
    app: Slug
    """Value of app.kubernetes.io/name on its pods."""
    min_available: Annotated[int, Field(ge=1, alias="minAvailable")]


class System(Strict):
    """One observed system. Its name is its file's, and the label `system` of its alerts."""

    title: Annotated[str, Field(min_length=1)]
    """Title of its folder in Grafana; the folder's uid is the system's name."""
    telemetry: str
    """PromQL: a gauge that says its telemetry is scraped."""
    thresholds: Thresholds
    """The numbers in its alerts that a stack may change. Each stands exactly once in its alert's expression."""
    exporters: dict[str, Annotated[dict[str, str], Field(min_length=1)]] = Field(default_factory=dict)
    """Start of a metric's name (the longest that fits counts) -> labels of `up` of the targets that expose it.

    For AlertsOnMissingMetrics. While no such target is up, nobody misses the metric. A metric that fits none is missed
    while another metric of its system exists.
    """
    absent: dict[str, Annotated[str, Field(min_length=1)]] = Field(default_factory=dict)
    """Metric that may be absent although all is well -> why. Counters of failures mostly: the first one makes them.

    A rule on log lines has no metric that could be missing: no line is its usual state.
    """
    disruption_budgets: dict[Slug, Budget] = Field(default_factory=dict, alias="disruptionBudgets")
    """Workloads that a node drain must not take offline together, by the name of the budget.

    A budget is created where its namespace is the simulator's or is listed in `serviceNamespaces`.
    """
    channels: dict[str, Any] = Field(default_factory=dict)
    """Channels of the system's own team, in the shape of rules/routing.yaml."""
    routes: list[Any] = Field(default_factory=list)
    """Routes of the system's own team, in the shape of rules/routing.yaml; they match this system only."""

    @field_validator("telemetry")
    @classmethod
    def _is_query(cls, text: str) -> str:
        if found := expressions.problem(text):
            raise ValueError(found)
        return text


def load(folder: Path) -> tuple[dict[str, System], list[str]]:
    """Name -> system of every file in `folder`/systems that is right, and the problems of the others."""
    found: dict[str, System] = {}
    problems: list[str] = []
    for file in sorted((folder / FOLDER).glob("*.yaml")):
        where = place(file.stem)
        try:
            found[file.stem] = System.model_validate(read_yaml(file, where))
        except RulesError as error:
            problems += error.problems
        except ValidationError as error:
            problems += describe(error, where)
    return found, [*problems, *_clashes(found)]


def place(system: str) -> str:
    """A system's file, as messages name it."""
    return f"rules/{FOLDER}/{system}.yaml"


def _clashes(systems: Mapping[str, System]) -> Iterator[str]:
    """Names that two files claim: they are merged, so one would silently win."""
    owners: dict[tuple[str, str], str] = {}
    for name, system in systems.items():
        claimed = [("exporters", start) for start in system.exporters] + [("absent", one) for one in system.absent]
        claimed += [("disruptionBudgets", one) for one in system.disruption_budgets] + [("title", system.title)]
        for claim in claimed:
            if claim in owners:
                key, value = claim
                yield f"{place(name)}: {key}: {value!r} is taken by {place(owners[claim])}; allowed: once"
            owners.setdefault(claim, name)
