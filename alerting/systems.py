"""The observed systems: everything about a system except its rules, from rules/systems/<system>.yaml."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, field_validator, model_validator

from alerting import expressions
from alerting.base import Slug, Strict, Thresholds
from alerting.files import read_yaml
from alerting.problems import RulesError, describe

FOLDER = "systems"


Pods = Annotated[int | None, Field(ge=1, le=150_000)]
"""A number of pods, up to the most that Kubernetes runs in a cluster."""


class Budget(Strict):
    """How many pods of one workload a node drain may take at once. It sets one of the two numbers."""

    namespace: Slug
    app: Slug
    """Value of app.kubernetes.io/name on its pods."""
    min_available: Pods = Field(default=None, alias="minAvailable")
    """Pods that must keep running. A drain waits for ever while the workload has no more than these."""
    max_unavailable: Pods = Field(default=None, alias="maxUnavailable")
    """Pods that may be away. A workload with one pod loses it for the time of a restart."""

    @model_validator(mode="after")
    def _has_one_number(self) -> "Budget":
        if (self.min_available is None) == (self.max_unavailable is None):
            raise ValueError("must have either minAvailable or maxUnavailable")
        return self


class PageBudget(Strict):
    """How often a system's alerts may wake somebody. A pull request shows what it does to it (ops/replay)."""

    per_week: Annotated[float | None, Field(ge=0, alias="perWeek")] = None
    """Pages in a week."""
    per_week_at_night: Annotated[float | None, Field(ge=0, alias="perWeekAtNight")] = None
    """Pages in the nights of a week."""
    enforced: bool = False
    """Whether a pull request that exceeds it, and needs more than its base, fails its check."""

    @model_validator(mode="after")
    def _has_a_limit(self) -> "PageBudget":
        if self.per_week is None and self.per_week_at_night is None:
            raise ValueError("must have perWeek or perWeekAtNight")
        return self


class System(Strict):
    """One observed system. Its file's name is the system's name and the label `system` of its alerts."""

    title: Annotated[str, Field(min_length=1)]
    """Title of the system's folder in Grafana; the folder's uid is the system's name."""
    telemetry: str
    """PromQL: a gauge with a result while the system's telemetry is scraped."""
    namespaces: list[Slug] = Field(default_factory=list[str])
    """Namespaces whose pods may speak of the system: its rules read no metric of any other. By default every namespace,
    for metrics that many services share. Those of the platform depend on the stack."""
    thresholds: Thresholds
    """Numbers in the system's alerts that a stack may change. Each appears exactly once in its alert's expression."""
    exporters: dict[str, Annotated[dict[str, str], Field(min_length=1)]] = Field(default_factory=dict)
    """Prefix of a metric's name (the longest match counts) -> labels of `up` for the targets that expose it.

    Used by AlertsOnMissingMetrics: while no such target is up, the metric does not count as missing. A metric without a
    match counts as missing while another metric of its system exists.
    """
    absent: dict[str, Annotated[str, Field(min_length=1)]] = Field(default_factory=dict)
    """Metrics that may be absent while all is well -> the reason; mostly counters that the first failure creates.

    Rules on log lines need no entry: they read no metric, and no lines are their normal state.
    """
    disruption_budgets: dict[Slug, Budget] = Field(default_factory=dict, alias="disruptionBudgets")
    """Workloads of which a node drain must leave some pods running, by the name of the budget.

    A budget is created if its namespace is the simulator's or is listed in `serviceNamespaces`.
    """
    page_budget: Annotated[PageBudget | None, Field(alias="pageBudget")] = None
    """How often its alerts may wake somebody; by default nobody counts."""
    channels: dict[str, Any] = Field(default_factory=dict)
    """Channels of the system's own team, in the format of rules/routing.yaml."""
    routes: list[Any] = Field(default_factory=list)
    """Routes of the system's own team, in the format of rules/routing.yaml; they match this system only."""
    incidents: dict[str, Any] = Field(default_factory=dict)
    """What tells the incidents of an alert apart; see alerting.routing.model.SystemRouting."""

    @field_validator("telemetry")
    @classmethod
    def _is_query(cls, text: str) -> str:
        if found := expressions.problem(text):
            raise ValueError(found)
        return text


def load(folder: Path) -> tuple[dict[str, System], list[str]]:
    """The systems of all valid files in `folder`/systems by name, and the problems of the others."""
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


def titles(folder: Path) -> dict[str, str]:
    """Titles of the systems with a file in `folder`/systems by name; of one that is not valid, its name."""
    found, _ = load(folder)
    return {name: found[name].title if name in found else name for name in names(folder)}


def names(folder: Path) -> tuple[str, ...]:
    """Names of the systems that have a file, valid or not."""
    return tuple(file.stem for file in sorted((folder / FOLDER).glob("*.yaml")))


def place(system: str) -> str:
    """Path of a system's file, for messages."""
    return f"rules/{FOLDER}/{system}.yaml"


def _clashes(systems: Mapping[str, System]) -> Iterator[str]:
    """Keys that two files define. The files are merged, so one value would silently replace the other."""
    owners: dict[tuple[str, str], str] = {}
    for name, system in systems.items():
        claimed = [("exporters", prefix) for prefix in system.exporters]
        claimed += [("absent", metric) for metric in system.absent]
        claimed += [("disruptionBudgets", budget) for budget in system.disruption_budgets]
        # Kubernetes refuses to evict a pod with two budgets.
        pods = [f"app {budget.app} in namespace {budget.namespace}" for budget in system.disruption_budgets.values()]
        claimed += [("disruptionBudgets", pod) for pod in pods]
        claimed.append(("title", system.title))
        for claim in claimed:
            if claim in owners:
                key, value = claim
                yield f"{place(name)}: {key}: {value!r} is taken by {place(owners[claim])}; allowed: once"
            owners.setdefault(claim, name)
