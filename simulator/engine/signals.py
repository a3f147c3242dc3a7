"""Metrics of a workload, and the signals that change them. Pure data; workload.py applies it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeVar


class MetricKind(StrEnum):
    """A metric's type in Prometheus' terms."""

    GAUGE = "gauge"
    COUNTER = "counter"
    PLAIN_COUNTER = "unknown"
    """A counter whose name does not end in `_total`; see collectors.PlainCounter."""
    HISTOGRAM = "histogram"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One exposed metric."""

    name: str
    """Name of its series in Prometheus, so a counter's name ends in `_total`."""
    kind: MetricKind
    text: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0)
    """Upper bounds in seconds; only for histograms."""
    passing: bool = False
    """Whether a counter's series end some time after the fault that created them, as levels do."""


Key = tuple[str, tuple[tuple[str, str], ...]]
"""Identity of a series: metric and labels."""


@dataclass(frozen=True, kw_only=True)
class _Series:
    metric: str
    labels: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def key(self) -> Key:
        return self.metric, tuple(sorted(self.labels.items()))


@dataclass(frozen=True, kw_only=True)
class Level(_Series):
    """A gauge series at `value`, which varies by the share `wobble` of it."""

    value: float
    wobble: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Events(_Series):
    """A counter series that grows by `burst` at its start, and then by `per_second`."""

    per_second: float = 0.0
    burst: int = 0
    bad: bool = False
    """Whether a rule computes the share of these events."""


@dataclass(frozen=True, kw_only=True)
class Durations(_Series):
    """Observations of a histogram series around `median` seconds."""

    per_second: float = 0.0
    median: float
    burst: int = 0
    bad: bool = False
    """Whether a rule computes the share of these observations."""


@dataclass(frozen=True, kw_only=True)
class Stop(_Series):
    """Stops the healthy workload's growth of this counter or histogram series."""


@dataclass(frozen=True, kw_only=True)
class Flood:
    """Events at once, enough to change a share over a window despite the events that the window already holds.

    The workload knows what was counted since the metric's first signal that is `bad`; healthy ones are there from the
    start.
    """

    good: Events | Durations
    bad: Events | Durations
    share: float
    """Share of the flood's events that is bad."""
    times: float
    """Size of the flood as a multiple of the events in the window."""
    window: float
    """Seconds."""
    least: int = 50
    """Minimum size of the flood in events, for windows with few events."""


@dataclass(frozen=True, kw_only=True)
class Dilution:
    """Good events at once, enough that bad events are at most `share` of all events in a window.

    Used at the end of a fault; otherwise a ratio over an hour would stay high for an hour.
    """

    good: Events | Durations
    share: float
    window: float
    """Seconds."""


Signal = Level | Events | Durations | Stop | Flood | Dilution
_AnySignal = TypeVar("_AnySignal", bound=Signal)


def relabelled(signal: _AnySignal, label: str, value: str) -> _AnySignal:
    """The same signal for the series with `label` set to `value`. Floods and dilutions stay unchanged."""
    if isinstance(signal, Flood | Dilution):
        return signal
    return replace(signal, labels={**signal.labels, label: value})
