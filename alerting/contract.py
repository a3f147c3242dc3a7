"""The telemetry contract of each observed system, rules/contract/<system>.yaml: the names that others may rely on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, model_validator

from alerting.base import Strict
from alerting.files import RULES, read_yaml, strays
from alerting.problems import RulesError, describe
from alerting.systems import System

FOLDER = "contract"
SERVICE = "[a-z][a-z0-9._-]{0,62}"
"""Regular expression of a service's name, which is a label of its log streams and span metrics."""
EVERYWHERE = ""
"""In place of a namespace: services whose programs may run in any."""
ServiceName = Annotated[str, Field(pattern=f"^{SERVICE}$")]


class Metric(Strict):
    """One metric, by the name that queries use."""

    type: Literal["counter", "gauge", "histogram", "unknown"]
    labels: list[str] = Field(default_factory=list[str])
    """Labels that the program itself sets; a histogram's `le` is not listed."""
    meaning: str = Field(min_length=1)
    last_bucket: Annotated[float | None, Field(gt=0, allow_inf_nan=False)] = None
    """Where the last finite bucket of a histogram ends: no quantile exceeds it. None if each program has its own."""

    @model_validator(mode="after")
    def _only_histograms_have_buckets(self) -> "Metric":
        if self.last_bucket is not None and self.type != "histogram":
            raise ValueError(f"last_bucket: a {self.type} has no buckets; allowed: with type histogram")
        return self


class Contract(Strict):
    """What one system exports."""

    services: list[ServiceName] = Field(default_factory=list[str])
    """Services that its spans and log lines name. Another name of a service becomes no label."""
    metrics: dict[str, Metric] = Field(default_factory=dict[str, Metric])
    log_fields: dict[str, str] = Field(default_factory=dict[str, str])
    """Field of a JSON log line -> meaning."""
    dashboards: dict[str, str] = Field(default_factory=dict[str, str])
    """Uid -> title."""


def services(contracts: Mapping[str, Contract], systems: Mapping[str, System]) -> dict[str, list[str]]:
    """Namespace -> services that its programs may name; EVERYWHERE for systems that are not tied to a namespace."""
    found: dict[str, set[str]] = {}
    for name, contract in contracts.items():
        for namespace in (systems[name].namespaces if name in systems else ()) or (EVERYWHERE,):
            found.setdefault(namespace, set()).update(contract.services)
    return {namespace: sorted(names) for namespace, names in found.items() if names}


def last_buckets(contracts: Mapping[str, Contract]) -> dict[str, float]:
    """Histogram -> where its last finite bucket ends, of those for which the contract says it."""
    metrics = ((name, metric) for one in contracts.values() for name, metric in one.metrics.items())
    return {name: metric.last_bucket for name, metric in metrics if metric.last_bucket is not None}


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
