"""Faults as files: simulator/series/<system>.yaml lists the series that make an alert of that system fire.

For alerts that no simulated program can trigger: alerts of systems without a simulated program, and alerts of the
platform's own parts that cannot be broken in a test cluster. The program `platform-faults` exposes each fault's series
while the fault is on.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from simulator.engine.faults import Fault
from simulator.engine.signals import Durations, Events, Level, Metric, MetricKind, Signal

FOLDER = Path(__file__).resolve().parent.parent / "series"
APP = "platform-faults"
"""The program that exposes the series."""
MARK = {"simulated": "true"}
"""Label of metrics whose series have no other label. Without labels, such a metric would be 0 while no fault is on."""
TARGET_LABELS = ("app", "instance", "job", "namespace", "node", "pod")
"""Labels that the scrape sets to those of the program; series cannot define them."""
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0)
_TEXT = "Simulated series, while a fault is on."


class SeriesError(ValueError):
    """Files are invalid. `problems` has one line per problem, with its file and key."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True, kw_only=True)
class Series:
    """Content of all files."""

    metrics: tuple[Metric, ...] = ()
    faults: tuple[Fault, ...] = ()

    @property
    def alerts(self) -> frozenset[str]:
        """Alerts that have a fault."""
        return frozenset(fault.alert for fault in self.faults)

    @property
    def second_scrape(self) -> frozenset[str]:
        """Alerts on counters. A counter starts with its fault, so its rate needs a second sample."""
        return frozenset(
            fault.alert
            for fault in self.faults
            if any(isinstance(signal, Events | Durations) for signal in fault.signals)
        )


def _own_label(name: str) -> str:
    if name in TARGET_LABELS:
        raise ValueError(f"{name!r} is set by the scrape; allowed: any other label")
    if name.startswith("__") or name == "le":
        raise ValueError(f"{name!r} is Prometheus' own; allowed: any other label")
    return name


_Name = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*$")]
_Label = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$"), AfterValidator(_own_label)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Series(_Strict):
    metric: _Name
    labels: dict[_Label, str] = Field(default_factory=dict)


class _Gauge(_Series):
    kind: Literal["gauge"]
    value: FiniteFloat
    after: FiniteFloat = 0.0
    """Value after the end of the fault, until the series disappears."""

    def shape(self) -> tuple[MetricKind, tuple[float, ...]]:
        return MetricKind.GAUGE, _BUCKETS


class _Growing(_Series):
    per_second: NonNegativeFloat = 0.0
    burst: NonNegativeInt = 0
    """Number of events at the start of the fault."""

    @model_validator(mode="after")
    def _grows(self) -> "_Growing":
        if not self.per_second and not self.burst:
            raise ValueError("nothing happens: per_second and burst are both 0; allowed: at least one above 0")
        return self


class _Counter(_Growing):
    kind: Literal["counter"]

    def shape(self) -> tuple[MetricKind, tuple[float, ...]]:
        return MetricKind.COUNTER if self.metric.endswith("_total") else MetricKind.PLAIN_COUNTER, _BUCKETS


def _ascending(bounds: list[float]) -> list[float]:
    if bounds != sorted(set(bounds)):
        raise ValueError("must be in ascending order, without duplicates")
    return bounds


def _whole(name: str) -> str:
    for suffix in ("_bucket", "_count", "_sum"):
        if name.endswith(suffix):
            raise ValueError(f"{suffix} is appended; allowed: the name of the histogram itself")
    return name


class _Histogram(_Growing):
    kind: Literal["histogram"]
    metric: Annotated[_Name, AfterValidator(_whole)]
    median: PositiveFloat
    """Seconds; the observations spread from 0.6 to 1.9 times this."""
    buckets: Annotated[list[FiniteFloat], Field(min_length=1), AfterValidator(_ascending)] = list(_BUCKETS)

    def shape(self) -> tuple[MetricKind, tuple[float, ...]]:
        return MetricKind.HISTOGRAM, tuple(self.buckets)


class _Fault(_Strict):
    text: Annotated[str, StringConstraints(min_length=1)]
    """Description of the effect, for people."""
    series: Annotated[list[Annotated[_Gauge | _Counter | _Histogram, Field(discriminator="kind")]], Field(min_length=1)]


_Alert = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]*$")]
_FILE = TypeAdapter(Annotated[dict[_Alert, _Fault], Field(min_length=1)])
_Found = Mapping[str, Mapping[str, _Fault]]
"""File name, as in messages -> alert -> fault."""


def load(folder: Path = FOLDER) -> Series:
    """The faults of every file in `folder`. Raises SeriesError with every problem found."""
    found: dict[str, dict[str, _Fault]] = {}
    problems: list[str] = []
    for file in sorted(folder.glob("*.yaml")):
        where = f"simulator/series/{file.name}"
        try:
            found[where] = _FILE.validate_python(yaml.load(file.read_text(encoding="utf-8"), Loader=_UniqueKeys))  # noqa: S506 -- a SafeLoader
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            problems.append(f"{where}: not valid YAML: {' '.join(str(error).split())}")
        except ValidationError as error:
            problems += [f"{where}: {_path(item['loc'])}: {_reason(item)}" for item in error.errors()]
    problems += [*_duplicates(found), *_conflicts(found)]
    if problems:
        raise SeriesError(problems)
    return _series(found)


def _all(found: _Found) -> Iterator[tuple[str, _Gauge | _Counter | _Histogram]]:
    """Every series with its file and key."""
    for where, faults in found.items():
        for alert, fault in faults.items():
            for number, series in enumerate(fault.series):
                yield f"{where}: {alert}.series[{number}]", series


def _duplicates(found: _Found) -> Iterator[str]:
    owners: dict[str, str] = {}
    for where, faults in found.items():
        for alert in faults:
            if alert in owners:
                yield f"{where}: {alert}: already has a fault in {owners[alert]}; allowed: one for each alert"
            owners.setdefault(alert, where)


def _conflicts(found: _Found) -> Iterator[str]:
    """Metrics whose kind or buckets differ between series; a program can expose only one of them."""
    first: dict[str, tuple[str, tuple[MetricKind, tuple[float, ...]]]] = {}
    for where, series in _all(found):
        family = series.metric.removesuffix("_total")
        place, shape = first.setdefault(family, (where, series.shape()))
        if series.shape() != shape:
            what = "kind" if series.shape()[0] != shape[0] else "buckets"
            yield f"{where}.{what}: {series.metric} differs from {place}; allowed: the same {what} everywhere"


def _series(found: _Found) -> Series:
    labels: dict[str, dict[str, None]] = {}
    shapes: dict[str, tuple[MetricKind, tuple[float, ...]]] = {}
    for _, series in _all(found):
        labels.setdefault(series.metric, {}).update(dict.fromkeys(series.labels))
        shapes[series.metric] = series.shape()
    names = {metric: tuple(own or MARK) for metric, own in labels.items()}
    return Series(
        metrics=tuple(
            Metric(
                name=name, kind=kind, text=_TEXT, labels=names[name], buckets=buckets, passing=kind != MetricKind.GAUGE
            )
            for name, (kind, buckets) in shapes.items()
        ),
        faults=tuple(
            Fault(
                alert=alert,
                text=f"Simulated series: {fault.text}",
                signals=tuple(_signal(series, names[series.metric]) for series in fault.series),
                after=tuple(
                    Level(metric=series.metric, labels=_labels(series, names[series.metric]), value=series.after)
                    for series in fault.series
                    if isinstance(series, _Gauge) and series.after
                ),
            )
            for faults in found.values()
            for alert, fault in faults.items()
        ),
    )


def _signal(series: _Gauge | _Counter | _Histogram, names: tuple[str, ...]) -> Signal:
    metric, labels = series.metric, _labels(series, names)
    match series:
        case _Gauge():
            return Level(metric=metric, labels=labels, value=series.value)
        case _Counter():
            return Events(metric=metric, labels=labels, per_second=series.per_second, burst=series.burst)
        case _Histogram():
            return Durations(
                metric=metric, labels=labels, per_second=series.per_second, burst=series.burst, median=series.median
            )


def _labels(series: _Series, names: tuple[str, ...]) -> dict[str, str]:
    """Values of all labels of the metric; Prometheus treats an empty label as absent."""
    if names == tuple(MARK) and not series.labels:
        return dict(MARK)
    return {name: series.labels.get(name, "") for name in names}


def _path(location: tuple[int | str, ...]) -> str:
    """`("A", "series", 0, "gauge", "value")` as `A.series[0].value`."""
    text = ""
    for number, part in enumerate(location):
        if part == "[key]" or (number and isinstance(location[number - 1], int)):  # parts that pydantic adds: key, kind
            continue
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".") or "(whole file)"


def _reason(item: Mapping[str, Any] | ErrorDetails) -> str:
    kind, message = str(item["type"]), str(item["msg"]).removeprefix("Value error, ").replace("Input should", "must")
    named = {
        "missing": "required, but missing",
        "extra_forbidden": "unknown field",
        "dict_type": "must be an object",
        "model_type": "must be an object",
        "union_tag_not_found": "kind: required, but missing; allowed: gauge, counter, histogram",
        "union_tag_invalid": "kind: allowed: gauge, counter, histogram",
    }
    value = item["input"].get("kind") if kind == "union_tag_invalid" else item["input"]
    shown = "" if kind == "missing" or isinstance(value, dict | list) or value is None else f"; got {value!r}"
    return named.get(kind, message) + shown


class _UniqueKeys(yaml.SafeLoader):
    """Rejects a key that appears twice; PyYAML itself silently keeps the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [str(key.value) for key, _ in node.value]
        for key in dict.fromkeys(keys):
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} appears twice", node.start_mark)
        return super().construct_mapping(node, deep=deep)
