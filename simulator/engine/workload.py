"""The engine of a simulated workload, which turns signals into Prometheus metrics; simulator/systems has the data.

Time advances only at scrapes: each scrape adds the events since the previous one. So there is no background task, an
idle workload costs nothing, and tests set the clock themselves.
"""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from prometheus_client import CollectorRegistry, Counter, Gauge, disable_created_metrics
from prometheus_client.registry import Collector

from simulator.engine.collectors import BulkHistogram, PlainCounter
from simulator.engine.history import History
from simulator.engine.signals import Dilution, Durations, Events, Flood, Key, Level, Metric, MetricKind, Signal, Stop

# The telemetry contract names every series, and does not include `_created` series of counters and histograms.
disable_created_metrics()

# Multiples of a median that form a realistic, repeatable spread of durations.
SPREAD = (0.6, 0.8, 1.0, 1.2, 1.9)
WOBBLE_PERIOD = 300.0
"""Period in seconds of a level's variation."""
LINGER = 900.0
"""Seconds for which a series of a removed layer stays constant (a level: at 0) before it disappears."""
LONGEST_CATCH_UP = 300.0
"""Maximum time in seconds between scrapes for which events are added."""
LARGEST_FLOOD = 10**12
"""Maximum number of events at once. Floods outweigh each other, and larger counters would lose single events."""

_Counted = Events | Durations


class Workload:
    """Turns signals into metrics. A later level replaces earlier ones of its series; events and durations add up."""

    def __init__(
        self,
        metrics: Iterable[Metric],
        healthy: Iterable[Signal],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start with the `healthy` signals; all counter and histogram series in them exist from the start.

        `clock` returns seconds and must be monotonic.
        """
        self.registry = CollectorRegistry()
        self._clock = clock
        self._gauges: dict[str, Gauge] = {}
        self._counters: dict[str, Counter | PlainCounter] = {}
        self._histograms: dict[str, BulkHistogram] = {}
        self._metrics = {metric.name: metric for metric in metrics}
        for metric in self._metrics.values():
            self._register(metric)
        self._started = self._last = clock()
        self._layers: dict[str, tuple[Signal, ...]] = {}
        self._hidden: dict[str, tuple[str, ...]] = {}
        self._remainders: dict[tuple[str, int], float] = {}
        self._lingering: dict[Key, tuple[Level, float]] = {}
        self._ending: dict[Key, tuple[_Counted, float]] = {}
        self._observed: dict[Key, int] = {}
        self._history = History()
        self.add("healthy", healthy)

    def add(self, layer: str, signals: Iterable[Signal], *, hides: Sequence[str] = ()) -> None:
        """Add `signals` on top of the existing layers, under the name `layer`; adding a layer twice has no effect.

        Metrics in `hides` are not exposed while the layer exists. Raises KeyError for a metric that the workload does
        not have.
        """
        if layer in self._layers:
            return
        self.advance()
        hiding = [self._collector(name) for name in hides if not self._is_hidden(name)]
        self._layers[layer] = tuple(signals)
        self._hidden[layer] = tuple(hides)
        for collector in hiding:
            self.registry.unregister(collector)
        for signal in self._layers[layer]:
            if isinstance(signal, _Counted) and signal.bad:
                self._history.follow(signal.metric)
        for signal in self._layers[layer]:
            self._begin(signal)
        self._show_levels()

    def remove(self, layer: str, after: Iterable[Signal] = ()) -> None:
        """Remove a layer; its levels return to those of lower layers, or to 0 if there are none.

        Series do not end at once, because a Prometheus that restarts at that moment would miss the end and use the last
        value for five minutes. The signals in `after` happen once: bursts, floods, dilutions, and levels that replace 0
        as the final value of the layer's own levels.
        """
        self.advance()
        signals = self._layers.pop(layer, ())
        self._remainders = {key: rest for key, rest in self._remainders.items() if key[0] != layer}
        closing = tuple(after)
        rests = {signal.key: signal for signal in closing if isinstance(signal, Level)}
        for signal in signals:
            if isinstance(signal, Level):
                rest = rests.get(signal.key, replace(signal, value=0.0))
                self._lingering[signal.key] = (rest, self._last + LINGER)
            elif isinstance(signal, _Counted) and self._metrics[signal.metric].passing:
                self._ending[signal.key] = (signal, self._last + LINGER)
        for signal in closing:
            self._begin(signal)
        for name in self._hidden.pop(layer, ()):
            if not self._is_hidden(name):
                self.registry.register(self._collector(name))
        self._show_levels()

    def advance(self) -> None:
        """Apply the time since the previous call."""
        now = self._clock()
        elapsed = min(now - self._last, LONGEST_CATCH_UP)
        self._last = now
        stopped = {signal.key for signals in self._layers.values() for signal in signals if isinstance(signal, Stop)}
        for layer, signals in self._layers.items():
            for number, signal in enumerate(signals):
                if not isinstance(signal, _Counted) or (layer == "healthy" and signal.key in stopped):
                    continue
                due = self._remainders.get((layer, number), 0.0) + signal.per_second * elapsed
                self._emit(signal, math.floor(due))
                self._remainders[layer, number] = due - math.floor(due)
        for key, (signal, end) in list(self._ending.items()):
            if end <= now:
                del self._ending[key]
                self._end(signal)
        self._show_levels()

    def observe(
        self, metric: str, labels: Mapping[str, str], seconds: float, *, exemplar: Mapping[str, str] | None = None
    ) -> None:
        """Add an observation to a histogram, independent of signals. Raises KeyError for an unknown metric or label.

        `exemplar` contains the ids of its trace.
        """
        values = [labels[name] for name in self._metrics[metric].labels]
        self._histograms[metric].observe(values, seconds, exemplar=exemplar)

    def _register(self, metric: Metric) -> None:
        name, text, labels = metric.name, metric.text, metric.labels
        match metric.kind:
            case MetricKind.GAUGE:
                self._gauges[name] = Gauge(name, text, labels, registry=self.registry)
            case MetricKind.COUNTER:
                self._counters[name] = Counter(name, text, labels, registry=self.registry)
            case MetricKind.PLAIN_COUNTER:
                self._counters[name] = PlainCounter(name, text, labels, self.registry)
            case MetricKind.HISTOGRAM:
                self._histograms[name] = BulkHistogram(
                    name, text, labels, buckets=metric.buckets, registry=self.registry
                )

    def _collector(self, metric: str) -> Collector:
        found = self._gauges.get(metric) or self._counters.get(metric) or self._histograms.get(metric)
        if found is None:
            raise KeyError(metric)
        return found

    def _is_hidden(self, metric: str) -> bool:
        return any(metric in hides for hides in self._hidden.values())

    def _begin(self, signal: Signal) -> None:
        """Apply the one-time effects of a signal at its start."""
        match signal:
            case Level() | Stop():
                pass
            case Events() | Durations():
                self._ending.pop(signal.key, None)
                self._emit(signal, signal.burst)
            case Flood():
                counted, _ = self._history.counted(signal.bad.metric, signal.window, self._last)
                size = min(max(signal.least, math.ceil(counted * signal.times)), LARGEST_FLOOD)
                bad = math.ceil(size * signal.share)
                self._emit(signal.bad, bad)
                self._emit(signal.good, size - bad)
            case Dilution():
                counted, bad = self._history.counted(signal.good.metric, signal.window, self._last)
                missing = math.ceil(bad / signal.share) - counted
                self._emit(signal.good, min(max(missing, 0), LARGEST_FLOOD))

    def _emit(self, signal: _Counted, count: int) -> None:
        self._history.add(signal.metric, count, bad=signal.bad, now=self._last)
        values = self._values(signal)
        if isinstance(signal, Events):
            match self._counters[signal.metric]:
                case PlainCounter() as counter:
                    counter.inc(values, count)
                case counter:
                    (counter.labels(*values) if values else counter).inc(count)
            return
        before = self._observed.get(signal.key, 0)
        self._observed[signal.key] = before + count
        for number, multiple in enumerate(SPREAD):
            # Number of observations with index `before` to `before + count - 1` that have this multiple of the median.
            first = (number - before) % len(SPREAD)
            times = max(0, math.ceil((count - first) / len(SPREAD)))
            self._histograms[signal.metric].observe(values, signal.median * multiple, times)

    def _end(self, signal: _Counted) -> None:
        """End a series of a passing metric."""
        values = self._values(signal)
        if isinstance(signal, Durations):
            self._histograms[signal.metric].remove(values)
            return
        match self._counters[signal.metric]:
            case PlainCounter() as counter:
                counter.remove(values)
            case counter:
                counter.remove(*values)

    def _show_levels(self) -> None:
        swing = math.sin((self._last - self._started) / WOBBLE_PERIOD * 2 * math.pi)
        top: dict[Key, Level] = {
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
            # Varying levels are counts and are rounded; constant levels may be shares.
            series.set(round(level.value * (1 + level.wobble * swing)) if level.wobble else level.value)

    def _values(self, signal: Level | _Counted) -> list[str]:
        return [signal.labels[name] for name in self._metrics[signal.metric].labels]
