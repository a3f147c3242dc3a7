"""The engine of a simulated workload: signals in, Prometheus metrics out. Knows no system; those are data beside it.

Time passes when somebody looks: each scrape adds what happened since the last one. There is no background task, an idle
workload costs nothing, and a test drives the clock by hand.
"""

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

# The contract names every series; `_created` twins of counters and histograms are not in it.
disable_created_metrics()

# Multiples of a median that stand for a realistic, repeatable spread of durations.
SPREAD = (0.6, 0.8, 1.0, 1.2, 1.9)
WOBBLE_PERIOD = 300.0
"""Seconds in which a wobbling level swings once up and down."""
LINGER = 900.0
"""Seconds for which a level that only a removed layer had stands at 0 before its series disappears."""
LONGEST_CATCH_UP = 300.0
"""Seconds: a workload that nobody scraped for longer does not invent the events in between."""


class Kind(StrEnum):
    """What a metric is to Prometheus."""

    GAUGE = "gauge"
    COUNTER = "counter"
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


@dataclass(frozen=True, kw_only=True)
class _Signal:
    metric: str
    labels: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def key(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        return self.metric, tuple(sorted(self.labels.items()))


@dataclass(frozen=True, kw_only=True)
class Level(_Signal):
    """A gauge series that stands at `value`, swinging by the share `wobble` of it."""

    value: float
    wobble: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Events(_Signal):
    """A counter series that grows by `per_second`, after `burst` at once when it starts."""

    per_second: float
    burst: int = 0


@dataclass(frozen=True, kw_only=True)
class Durations(_Signal):
    """Observations of a histogram series around `median` seconds."""

    per_second: float
    median: float
    burst: int = 0


Signal = Level | Events | Durations


class Workload:
    """Turns signals into metrics: levels added later replace those of the same series, events and durations add up."""

    def __init__(
        self,
        metrics: Iterable[Metric],
        healthy: Iterable[Signal],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start with the `healthy` signals; every counter and histogram series named by them exists from the start.

        `clock` gives seconds that never go back.
        """
        self.registry = CollectorRegistry()
        self._clock = clock
        self._gauges: dict[str, Gauge] = {}
        self._counters: dict[str, Counter] = {}
        self._histograms: dict[str, Histogram] = {}
        self._labels = {metric.name: metric.labels for metric in metrics}
        for metric in metrics:
            self._register(metric)
        self._started = self._last = clock()
        self._layers: dict[str, tuple[Signal, ...]] = {}
        self._remainders: dict[tuple[str, int], float] = {}
        self._lingering: dict[object, tuple[Level, float]] = {}
        self._observed: dict[object, int] = {}
        self.add("healthy", healthy)

    def add(self, layer: str, signals: Iterable[Signal]) -> None:
        """Lay `signals` over what runs already, under the name `layer`; adding a layer twice changes nothing.

        Raises KeyError for a metric that the workload does not have.
        """
        if layer in self._layers:
            return
        self.advance()
        self._layers[layer] = tuple(signals)
        for signal in self._layers[layer]:
            self._emit(signal, 0 if isinstance(signal, Level) else signal.burst)
        self._show_levels()

    def remove(self, layer: str) -> None:
        """Take a layer away again; levels go back to what lies below, or to 0 where nothing does.

        A series that ended at once would look alive to a Prometheus that restarts at that moment: it never sees the
        end, and uses the last value for five minutes.
        """
        self.advance()
        signals = self._layers.pop(layer, ())
        self._remainders = {key: rest for key, rest in self._remainders.items() if key[0] != layer}
        for signal in signals:
            if isinstance(signal, Level):
                self._lingering[signal.key] = (replace(signal, value=0.0), self._last + LINGER)
        self._show_levels()

    def advance(self) -> None:
        """Let the time that passed since the last call happen."""
        now = self._clock()
        elapsed = min(now - self._last, LONGEST_CATCH_UP)
        self._last = now
        for layer, signals in self._layers.items():
            for number, signal in enumerate(signals):
                if isinstance(signal, Level):
                    continue
                due = self._remainders.get((layer, number), 0.0) + signal.per_second * elapsed
                self._emit(signal, math.floor(due))
                self._remainders[layer, number] = due - math.floor(due)
        self._show_levels()

    def _register(self, metric: Metric) -> None:
        arguments = (metric.name, metric.text, metric.labels)
        match metric.kind:
            case Kind.GAUGE:
                self._gauges[metric.name] = Gauge(*arguments, registry=self.registry)
            case Kind.COUNTER:
                self._counters[metric.name] = Counter(*arguments, registry=self.registry)
            case Kind.HISTOGRAM:
                self._histograms[metric.name] = Histogram(*arguments, buckets=metric.buckets, registry=self.registry)

    def _emit(self, signal: Signal, count: int) -> None:
        match signal:
            case Level():
                pass
            case Events():
                counter = self._counters[signal.metric]
                (counter.labels(*self._values(signal)) if signal.labels else counter).inc(count)
            case Durations():
                histogram = self._histograms[signal.metric]
                series = histogram.labels(*self._values(signal)) if signal.labels else histogram
                before = self._observed.get(signal.key, 0)
                self._observed[signal.key] = before + count
                for number in range(before, before + count):
                    series.observe(signal.median * SPREAD[number % len(SPREAD)])

    def _show_levels(self) -> None:
        swing = math.sin((self._last - self._started) / WOBBLE_PERIOD * 2 * math.pi)
        top: dict[object, Level] = {
            signal.key: signal for signals in self._layers.values() for signal in signals if isinstance(signal, Level)
        }
        for key, (level, end) in list(self._lingering.items()):
            if key not in top and end > self._last:
                top[key] = level
                continue
            del self._lingering[key]
            if key not in top:
                self._gauges[level.metric].remove(*self._values(level))
        for level in top.values():
            gauge = self._gauges[level.metric]
            series = gauge.labels(*self._values(level)) if level.labels else gauge
            series.set(round(level.value * (1 + level.wobble * swing)))

    def _values(self, signal: Signal) -> list[str]:
        return [signal.labels[name] for name in self._labels[signal.metric]]


def relabelled(signal: Signal, label: str, value: str) -> Signal:
    """The same signal for another series: `label` set to `value`."""
    return replace(signal, labels={**signal.labels, label: value})
