"""Service level objectives from rules/slos/<system>.yaml, checked. alerting/slo_rules.py generates their rules."""

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError, ValidationInfo, field_validator

from alerting import counting, expressions
from alerting.base import Slug, Strict
from alerting.durations import PositiveDuration, seconds
from alerting.files import read_yaml
from alerting.problems import RulesError, describe

FOLDER = "slos"
WINDOW = "$window"
"""Placeholder for the range in the queries of an SLO."""
LONGEST_ALERT_WINDOW = "3d"


class Slo(Strict):
    """The share of a system's events that must be good over a window of time."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=50)]
    system: Slug
    team: Slug
    description: Annotated[str, Field(min_length=1, max_length=200)]
    """Definition of good events, as a clause such as `uploads succeed`."""
    objective: float
    """Percentage of good events."""
    window: PositiveDuration
    """Length of the time window that the objective covers."""
    errors: str
    """PromQL: number of bad events, with `[$window]` as range. An empty result counts as no errors."""
    total: str
    """PromQL: number of all events, with `[$window]` as range."""
    minimum_errors: Annotated[int, Field(ge=1, le=1000)] = 10
    """Least number of errors in the long window of a fast burn that pages somebody; 1 pages for a single error.

    A ratio of few events is not significant: one failed upload of 60 in an hour is 16 times what 99.9 % allows. Ten
    errors are more than one user who tries one upload again and again. Fewer errors still spend budget, and still count
    for the slow burn.
    """
    stopped_alert: str | None = None
    """An alert of the same system that fires when no events come any more; by default …MetricsMissing is generated."""

    @field_validator("description")
    @classmethod
    def _is_plain(cls, text: str) -> str:
        if "{{" in text:
            raise ValueError("must be plain text without {{, because it becomes part of a template")
        return text

    @field_validator("objective")
    @classmethod
    def _leaves_a_budget(cls, value: float) -> float:
        if not 0 < value < 100:
            raise ValueError(
                "must be a percentage above 0 and below 100; 100 leaves no budget for errors, 0 promises nothing"
            )
        return value

    @field_validator("window")
    @classmethod
    def _holds_the_alerts(cls, text: str) -> str:
        if seconds(text) <= seconds(LONGEST_ALERT_WINDOW):
            raise ValueError(f"must be longer than {LONGEST_ALERT_WINDOW}, the longest window of an SLO's alerts")
        return text

    @field_validator("errors", "total")
    @classmethod
    def _is_query(cls, text: str, info: ValidationInfo) -> str:
        if f"[{WINDOW}]" not in text:
            raise ValueError(f"must have the range [{WINDOW}], which each rule fills in")
        asked = text.replace(WINDOW, "5m")
        if found := expressions.problem(asked) or counting.problem(asked):
            raise ValueError(f"{found} (SLO {info.data.get('name')})")
        if not expressions.is_one_value(asked):
            raise ValueError("must give one value without labels, such as sum(increase(...)) without `by`")
        return text

    @property
    def budget(self) -> Decimal:
        """Share of the events that may be bad, such as 0.001."""
        return 1 - self.objective_ratio

    @property
    def objective_ratio(self) -> Decimal:
        """Share of the events that has to be good, such as 0.999."""
        return (Decimal(str(self.objective)) / 100).normalize()


class _File(Strict):
    slos: Annotated[list[Slo], Field(min_length=1)]


def load(folder: Path) -> tuple[dict[str, Slo], list[str]]:
    """SLOs of all files in `folder`/slos by name, and the problems of those that are left out."""
    found: dict[str, Slo] = {}
    problems: list[str] = []
    for file in sorted((folder / FOLDER).glob("*.yaml")):
        where = place(file.stem)
        try:
            slos = _File.model_validate(read_yaml(file, where)).slos
        except RulesError as error:
            problems += error.problems
            continue
        except ValidationError as error:
            problems += describe(error, where)
            continue
        for index, slo in enumerate(slos):
            key = f"{where}: slos[{index}]"
            if slo.system != file.stem:
                allowed = f"{file.stem}, the file's name"
                problems.append(f"{key}.system: {slo.system!r} is not allowed; allowed: {allowed}")
            if slo.name in found:
                taken = place(found[slo.name].system)
                problems.append(f"{key}.name: {slo.name!r} is taken by {taken}; every SLO needs its own")
            found.setdefault(slo.name, slo)
    return found, problems


def place(system: str) -> str:
    """Path of a system's SLO file, for messages."""
    return f"rules/{FOLDER}/{system}.yaml"


def retention_problems(slos: Iterable[Slo], retention: str, remote_write: bool) -> list[str]:
    """SLOs whose window is longer than `retention`, a Prometheus duration, one line each.

    None with `remote_write`, because another store then keeps the metrics.
    """
    return [
        f"observability:prometheusRetention: {retention} is shorter than the window {slo.window} of the SLO {slo.name} "
        f"({place(slo.system)}), so its budget would cover less time; allowed: at least {slo.window}, or a store "
        "that keeps metrics longer in observability:remoteWriteUrl"
        for slo in slos
        if seconds(retention) < seconds(slo.window) and not remote_write
    ]
