"""Faults as files: simulator/series/<system>.yaml says which series make an alert of that system fire.

For alerts whose trouble no simulated program shows: those of a system without one, and those of the platform's own
parts that nobody can break in a test cluster. The program `platform-faults` exposes the series, each while its fault is
on.
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
from simulator.engine.signals import Durations, Events, Kind, Level, Metric, Signal

FOLDER = Path(__file__).resolve().parent.parent / "series"
APP = "platform-faults"
"""The program that exposes the series."""
MARK = {"simulated": "true"}
"""Label of a metric whose series have no other: without any it would stand at 0 while no fault is on."""
TARGET_LABELS = ("app", "instance", "job", "namespace", "node", "pod")
"""Labels that a scrape sets: those of the program, whatever a series says."""
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0)
_TEXT = "Simulated series, while a fault is on."


class SeriesError(ValueError):
    """Files that cannot be used. `problems` has one line per problem, with its file and key."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True, kw_only=True)
class Series:
    """What all files say."""

    metrics: tuple[Metric, ...] = ()
    faults: tuple[Fault, ...] = ()

    @property
    def alerts(self) -> frozenset[str]:
        """Alerts that have a fault here."""
        return frozenset(fault.alert for fault in self.faults)

    @property
    def second_scrape(self) -> frozenset[str]:
        """Alerts on counters, which are born with their fault: a rate needs their second sample."""
        return frozenset(
            fault.alert for fault in self.faults if any(isinstance(one, Events | Durations) for one in fault.signals)
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
    """Where it stands when the fault is over, until it disappears."""

    def shape(self) -> tuple[Kind, tuple[float, ...]]:
        return Kind.GAUGE, _BUCKETS


class _Growing(_Series):
    per_second: NonNegativeFloat = 0.0
    burst: NonNegativeInt = 0
    """Events at once, when the fault is switched on."""

    @model_validator(mode="after")
    def _grows(self) -> "_Growing":
        if not self.per_second and not self.burst:
            raise ValueError("nothing happens: per_second and burst are both 0; allowed: at least one above 0")
        return self


class _Counter(_Growing):
    kind: Literal["counter"]

    def shape(self) -> tuple[Kind, tuple[float, ...]]:
        return Kind.COUNTER if self.metric.endswith("_total") else Kind.PLAIN_COUNTER, _BUCKETS


def _ascending(bounds: list[float]) -> list[float]:
    if bounds != sorted(set(bounds)):
        raise ValueError("must rise from one to the next")
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

    def shape(self) -> tuple[Kind, tuple[float, ...]]:
        return Kind.HISTOGRAM, tuple(self.buckets)


class _Fault(_Strict):
    text: Annotated[str, StringConstraints(min_length=1)]
    """What goes wrong, for people."""
    series: Annotated[list[Annotated[_Gauge | _Counter | _Histogram, Field(discriminator="kind")]], Field(min_length=1)]


_Alert = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]*$")]
_FILE = TypeAdapter(Annotated[dict[_Alert, _Fault], Field(min_length=1)])
_Found = Mapping[str, Mapping[str, _Fault]]
"""File, as messages name it -> alert -> fault."""


def load(folder: Path = FOLDER) -> Series:
    """The faults of every file in `folder`. Raises SeriesError with every problem found."""
    found: dict[str, dict[str, _Fault]] = {}
    problems: list[str] = []
    for file in sorted(folder.glob("*.yaml")):
        where = f"simulator/series/{file.name}"
        try:
            found[where] = _FILE.validate_python(yaml.load(file.read_text(encoding="utf-8"), Loader=_UniqueKeys))  # noqa: S506 -- a SafeLoader
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            problems.append(f"{where}: no valid YAML: {' '.join(str(error).split())}")
        except ValidationError as error:
            problems += [f"{where}: {_path(item['loc'])}: {_reason(item)}" for item in error.errors()]
    problems += [*_twice(found), *_shapes(found)]
    if problems:
        raise SeriesError(problems)
    return _series(found)


def _all(found: _Found) -> Iterator[tuple[str, _Gauge | _Counter | _Histogram]]:
    """Every series with its place."""
    for where, faults in found.items():
        for alert, fault in faults.items():
            for number, one in enumerate(fault.series):
                yield f"{where}: {alert}.series[{number}]", one


def _twice(found: _Found) -> Iterator[str]:
    owners: dict[str, str] = {}
    for where, faults in found.items():
        for alert in faults:
            if alert in owners:
                yield f"{where}: {alert}: has a fault in {owners[alert]} already; allowed: one for each alert"
            owners.setdefault(alert, where)


def _shapes(found: _Found) -> Iterator[str]:
    """Metrics that two series describe differently: a program can expose only one of them."""
    first: dict[str, tuple[str, tuple[Kind, tuple[float, ...]]]] = {}
    for where, one in _all(found):
        family = one.metric.removesuffix("_total")
        place, shape = first.setdefault(family, (where, one.shape()))
        if one.shape() != shape:
            what = "kind" if one.shape()[0] != shape[0] else "buckets"
            yield f"{where}.{what}: {one.metric} has others in {place}; allowed: the same {what} everywhere"


def _series(found: _Found) -> Series:
    labels: dict[str, dict[str, None]] = {}
    shapes: dict[str, tuple[Kind, tuple[float, ...]]] = {}
    for _, one in _all(found):
        labels.setdefault(one.metric, {}).update(dict.fromkeys(one.labels))
        shapes[one.metric] = one.shape()
    names = {metric: tuple(own or MARK) for metric, own in labels.items()}
    return Series(
        metrics=tuple(
            Metric(name=name, kind=kind, text=_TEXT, labels=names[name], buckets=buckets, passing=kind != Kind.GAUGE)
            for name, (kind, buckets) in shapes.items()
        ),
        faults=tuple(
            Fault(
                alert=alert,
                text=f"Simulated series: {fault.text}",
                signals=tuple(_signal(one, names[one.metric]) for one in fault.series),
                after=tuple(
                    Level(metric=one.metric, labels=_labels(one, names[one.metric]), value=one.after)
                    for one in fault.series
                    if isinstance(one, _Gauge) and one.after
                ),
            )
            for faults in found.values()
            for alert, fault in faults.items()
        ),
    )


def _signal(one: _Gauge | _Counter | _Histogram, names: tuple[str, ...]) -> Signal:
    labels = _labels(one, names)
    match one:
        case _Gauge():
            return Level(metric=one.metric, labels=labels, value=one.value)
        case _Counter():
            return Events(metric=one.metric, labels=labels, per_second=one.per_second, burst=one.burst)
        case _Histogram():
            return Durations(
                metric=one.metric, labels=labels, per_second=one.per_second, burst=one.burst, median=one.median
            )


def _labels(one: _Series, names: tuple[str, ...]) -> dict[str, str]:
    """All labels of the metric; to Prometheus an empty one is no label."""
    return dict(MARK) if names == tuple(MARK) and not one.labels else {name: one.labels.get(name, "") for name in names}


def _path(location: tuple[int | str, ...]) -> str:
    """`("A", "series", 0, "gauge", "value")` as `A.series[0].value`."""
    text = ""
    for number, part in enumerate(location):
        if part == "[key]" or (number and isinstance(location[number - 1], int)):  # pydantic's own: a key, a kind
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
    """Refuses a key that stands twice; YAML itself would keep the last one silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [str(key.value) for key, _ in node.value]
        for key in dict.fromkeys(keys):
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} stands twice", node.start_mark)
        return super().construct_mapping(node, deep=deep)
