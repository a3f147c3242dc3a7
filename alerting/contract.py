"""The telemetry contract of each observed system, rules/contract/<system>.yaml: the names that others may rely on."""

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from alerting.base import Strict
from alerting.files import RULES, read_yaml, strays
from alerting.problems import RulesError, describe

FOLDER = "contract"


class Metric(Strict):
    """One metric, by the name that queries use."""

    type: Literal["counter", "gauge", "histogram", "unknown"]
    labels: list[str] = Field(default_factory=list[str])
    """Labels that the program itself sets; a histogram's `le` is not listed."""
    meaning: str = Field(min_length=1)


class Contract(Strict):
    """What one system exports."""

    services: list[str] = Field(default_factory=list[str])
    """Services that its spans and log lines name."""
    metrics: dict[str, Metric] = Field(default_factory=dict[str, Metric])
    log_fields: dict[str, str] = Field(default_factory=dict[str, str])
    """Field of a JSON log line -> meaning."""
    dashboards: dict[str, str] = Field(default_factory=dict[str, str])
    """Uid -> title."""


def load(folder: Path = RULES) -> dict[str, Contract]:
    """System -> contract. Raises RulesError with every problem, each with its file and key."""
    found: dict[str, Contract] = {}
    problems = list(strays(folder / FOLDER, f"rules/{FOLDER}"))
    for file in sorted((folder / FOLDER).glob("*.yaml")):
        where = f"rules/{FOLDER}/{file.name}"
        try:
            found[file.stem] = Contract.model_validate(read_yaml(file, where))
        except ValidationError as error:
            problems += describe(error, where)
        except RulesError as error:
            problems += error.problems
    if problems:
        raise RulesError(problems)
    return found
