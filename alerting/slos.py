"""Service level objectives: rules/slos/<system>.yaml, checked. What is made of them stands in alerting/slo_rules.py."""

from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError, ValidationInfo, field_validator

from alerting import expressions
from alerting.base import Slug, Strict
from alerting.durations import PositiveDuration, seconds
from alerting.files import read_yaml
from alerting.problems import RulesError, describe

FOLDER = "slos"
WINDOW = "$window"
"""What stands for the range in the queries of an SLO."""
LONGEST_ALERT_WINDOW = "3d"


class Slo(Strict):
    """What share of a system's events has to be good, over which time."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=50)]
    system: Slug
    team: Slug
    description: Annotated[str, Field(min_length=1, max_length=200)]
    """What good events are, as a clause such as `uploads succeed`."""
    objective: float
    """Per cent of good events."""
    window: PositiveDuration
    """The time that the objective is about."""
    errors: str
    """PromQL: bad events per second, with `[$window]` as range. What it does not find counts as no error."""
    total: str
    """PromQL: all events per second, with `[$window]` as range."""
    minimum_errors: Annotated[int, Field(ge=1, le=1000)] = 10
    """Errors in the long window of a fast burn without which nobody is paged; 1 pages for a single error as well.

    The share of few events says little: one failed upload of 60 in an hour is 16 times what 99.9 % allows. Ten are more
    than one user's upload that is tried again and again. What stays below is still in the budget, and in the slow burn.
    """

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
        if found := expressions.problem(text.replace(WINDOW, "5m")):
            raise ValueError(f"{found} (SLO {info.data.get('name')})")
        if not expressions.is_one_value(text.replace(WINDOW, "5m")):
            raise ValueError("must give one value without labels, such as sum(rate(...)) without `by`")
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
    """Name -> SLO of every file in `folder`/slos, and the problems of those that are left out."""
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
                allowed = f"{file.stem}, as the file's name"
                problems.append(f"{key}.system: {slo.system!r} is not allowed; allowed: {allowed}")
            if slo.name in found:
                taken = place(found[slo.name].system)
                problems.append(f"{key}.name: {slo.name!r} is taken by {taken}; every SLO needs its own")
            found.setdefault(slo.name, slo)
    return found, problems


def place(system: str) -> str:
    """The file of a system's SLOs, as messages name it."""
    return f"rules/{FOLDER}/{system}.yaml"


def retention_problems(slos: Iterable[Slo], retention: str, remote_write: bool) -> list[str]:
    """SLOs whose window is longer than metrics are kept, one line each; none where `remote_write` keeps them elsewhere.

    `retention` is a Prometheus duration.
    """
    return [
        f"observability:prometheusRetention: {retention} is shorter than the window {slo.window} of the SLO {slo.name} "
        f"({place(slo.system)}), whose budget would be computed from less; allowed: at least {slo.window}, or a store "
        "that keeps metrics longer in observability:remoteWriteUrl"
        for slo in slos
        if seconds(retention) < seconds(slo.window) and not remote_write
    ]
