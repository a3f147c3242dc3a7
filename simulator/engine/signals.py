"""What a workload is made of: metrics, and the signals that move them. Data without behaviour; see workload.py."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeVar


class Kind(StrEnum):
    """What a metric is to Prometheus."""

    GAUGE = "gauge"
    COUNTER = "counter"
    PLAIN_COUNTER = "unknown"
    """A counter whose name does not end in `_total`; see collectors.PlainCounter."""
    HISTOGRAM = "histogram"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric as it is exposed."""

    name: str
    """As Prometheus sees it: a counter's name ends in `_total`."""
    kind: Kind
    text: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0)
    """Upper bounds in seconds; histograms only."""
    passing: bool = False
    """Whether series of this counter end some time after the fault that made them, as levels do."""


Key = tuple[str, tuple[tuple[str, str], ...]]
"""A series: metric and labels."""


@dataclass(frozen=True, kw_only=True)
class _Series:
    metric: str
    labels: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def key(self) -> Key:
        return self.metric, tuple(sorted(self.labels.items()))


@dataclass(frozen=True, kw_only=True)
class Level(_Series):
    """A gauge series that stands at `value`, swinging by the share `wobble` of it."""

    value: float
    wobble: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Events(_Series):
    """A counter series that grows by `per_second`, after `burst` at once when it starts."""

    per_second: float = 0.0
    burst: int = 0
    bad: bool = False
    """Whether these are the events whose share a rule watches."""


@dataclass(frozen=True, kw_only=True)
class Durations(_Series):
    """Observations of a histogram series around `median` seconds."""

    per_second: float = 0.0
    median: float
    burst: int = 0
    bad: bool = False
    """Whether these are the observations whose share a rule watches."""


@dataclass(frozen=True, kw_only=True)
class Stop(_Series):
    """What the healthy workload does to this counter or histogram series does not happen."""


@dataclass(frozen=True, kw_only=True)
class Flood:
    """Events at once, as many as it takes to move a share over a window, whatever the window holds already.

    The metric must have a healthy signal that is `bad`: of such metrics the workload remembers what it counted.
    """

    good: Events | Durations
    bad: Events | Durations
    share: float
    """Of the flood's events, those that are bad."""
    times: float
    """Size of the flood, in multiples of what was counted in the window."""
    window: float
    """Seconds."""
    least: int = 50
    """Events, when the window holds next to nothing."""


@dataclass(frozen=True, kw_only=True)
class Dilution:
    """Good events at once, until the bad ones of a window are no more than a share of all.

    For the end of a fault: a ratio over an hour would stay high for an hour.
    """

    good: Events | Durations
    share: float
    window: float
    """Seconds."""


Signal = Level | Events | Durations | Stop | Flood | Dilution
_AnySignal = TypeVar("_AnySignal", bound=Signal)


def relabelled(signal: _AnySignal, label: str, value: str) -> _AnySignal:
    """The same signal for another series: `label` set to `value`. Floods and dilutions stay as they are."""
    if isinstance(signal, Flood | Dilution):
        return signal
    return replace(signal, labels={**signal.labels, label: value})
