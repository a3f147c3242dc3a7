"""Faults as files: simulator/series/<system>.yaml lists the series that make an alert of that system fire.

For alerts that no simulated program can trigger: alerts of systems without a simulated program, and alerts of the
platform's own parts that cannot be broken in a test cluster. The program `platform-faults` exposes each fault's series
while the fault is on.
"""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, StringConstraints, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from simulator.engine.faults import Fault
from simulator.engine.signals import Dilution, Durations, Events, Flood, Level, Metric, MetricKind, Signal
from simulator.systems.series_model import AnySeries, Counter, FaultOfFile, Gauge, Histogram, Ratio, Shape

FOLDER = Path(__file__).resolve().parent.parent / "series"
APP = "platform-faults"
"""The program that exposes the series."""
MARK = {"simulated": "true"}
"""Label of metrics whose series have no other label. Without labels, such a metric would be 0 while no fault is on."""
_DILUTED = 6 * 3600.0
"""Seconds in which few of a ratio's events are bad after its fault; see Ratio.left."""
_KINDS = "gauge, counter, ratio, histogram"
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
            if any(isinstance(signal, Events | Durations | Flood) for signal in fault.signals)
        )


_Alert = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]*$")]
_FILE = TypeAdapter(Annotated[dict[_Alert, FaultOfFile], Field(min_length=1)])
_Found = Mapping[str, Mapping[str, FaultOfFile]]
"""File name, as in messages -> alert -> fault."""


def load(folder: Path = FOLDER) -> Series:
    """The faults of every file in `folder`. Raises SeriesError with every problem found."""
    found: dict[str, dict[str, FaultOfFile]] = {}
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


def _all(found: _Found) -> Iterator[tuple[str, AnySeries]]:
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
    first: dict[str, tuple[str, Shape]] = {}
    for where, series in _all(found):
        family = series.metric.removesuffix("_total")
        place, shape = first.setdefault(family, (where, series.shape()))
        if series.shape() != shape:
            what = "kind" if series.shape()[0] != shape[0] else "buckets"
            yield f"{where}.{what}: {series.metric} differs from {place}; allowed: the same {what} everywhere"


def _series(found: _Found) -> Series:
    labels: dict[str, dict[str, None]] = {}
    shapes: dict[str, Shape] = {}
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
                signals=tuple(one for series in fault.series for one in _signals(series, names[series.metric])),
                after=tuple(one for series in fault.series for one in _after(series, names[series.metric])),
            )
            for faults in found.values()
            for alert, fault in faults.items()
        ),
    )


def _signals(series: AnySeries, names: tuple[str, ...]) -> Iterator[Signal]:
    metric, labels = series.metric, _labels(series.labels, names)
    match series:
        case Gauge():
            yield Level(metric=metric, labels=labels, value=series.value)
        case Counter():
            yield Events(metric=metric, labels=labels, per_second=series.per_second, burst=series.burst)
        case Histogram():
            yield Durations(
                metric=metric, labels=labels, per_second=series.per_second, burst=series.burst, median=series.median
            )
        case Ratio():
            good, bad = _good(series, names), _bad(series, names)
            yield Flood(
                good=good, bad=bad, share=series.share, times=series.times, window=series.window, least=series.least
            )
            yield from (good, bad)


def _after(series: AnySeries, names: tuple[str, ...]) -> Iterator[Signal]:
    if isinstance(series, Gauge) and series.after:
        yield Level(metric=series.metric, labels=_labels(series.labels, names), value=series.after)
    if isinstance(series, Ratio):
        yield Dilution(good=_good(series, names), share=series.left, window=_DILUTED)


def _good(series: Ratio, names: tuple[str, ...]) -> Events:
    per_second = series.per_second * (1 - series.share)
    return Events(metric=series.metric, labels=_labels(series.good, names), per_second=per_second)


def _bad(series: Ratio, names: tuple[str, ...]) -> Events:
    per_second = series.per_second * series.share
    return Events(metric=series.metric, labels=_labels(series.bad, names), per_second=per_second, bad=True)


def _labels(own: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    """Values of all labels of the metric; Prometheus treats an empty label as absent."""
    if names == tuple(MARK) and not own:
        return dict(MARK)
    return {name: own.get(name, "") for name in names}


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
        "union_tag_not_found": f"kind: required, but missing; allowed: {_KINDS}",
        "union_tag_invalid": f"kind: allowed: {_KINDS}",
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
