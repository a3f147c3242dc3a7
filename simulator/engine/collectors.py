"""Two metric types that the Prometheus client lacks: a counter without a suffix, and a histogram for bulk observations.

Both are used only in the event loop's thread and need no lock.
"""

import bisect
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry
from prometheus_client.core import Exemplar, HistogramMetricFamily, UnknownMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class PlainCounter(Collector):
    """A counter whose series have no suffix `_total`.

    The client library appends `_total` to counters, and OpenMetrics, the only format with exemplars, requires it. A
    family of type `unknown` keeps its name in both text formats. Only the type in Prometheus' metadata is lost: `rate`
    and `increase` do not depend on it, and detect resets as usual.
    """

    def __init__(self, name: str, text: str, labels: Sequence[str], registry: CollectorRegistry) -> None:
        """Registers itself; a series appears at its first increment."""
        self._name = name
        self._text = text
        self._labels = tuple(labels)
        self._values: dict[tuple[str, ...], float] = {}
        registry.register(self)

    def inc(self, labels: Sequence[str], count: float = 1) -> None:
        """Add `count` events to the series with these label values."""
        key = tuple(labels)
        self._values[key] = self._values.get(key, 0) + count

    def remove(self, labels: Sequence[str]) -> None:
        """End a series."""
        self._values.pop(tuple(labels), None)

    def collect(self) -> Iterator[UnknownMetricFamily]:
        """The family as the client library exposes it."""
        family = UnknownMetricFamily(self._name, self._text, labels=self._labels)
        for labels, value in self._values.items():
            family.add_metric(labels, value)
        yield family


@dataclass
class _Series:
    counts: list[int]
    """Per bucket, not cumulative; the last one is +Inf."""
    total: float = 0.0
    exemplars: dict[int, Exemplar] = field(default_factory=dict[int, Exemplar])


class BulkHistogram(Collector):
    """A histogram in which a million equal observations cost as much as one."""

    def __init__(
        self, name: str, text: str, labels: Sequence[str], *, buckets: Sequence[float], registry: CollectorRegistry
    ) -> None:
        """Registers itself; `buckets` are upper bounds, without +Inf."""
        self._name = name
        self._text = text
        self._labels = tuple(labels)
        self._bounds = (*buckets, math.inf)
        self._series: dict[tuple[str, ...], _Series] = {}
        registry.register(self)

    def observe(
        self, labels: Sequence[str], value: float, count: int = 1, *, exemplar: Mapping[str, str] | None = None
    ) -> None:
        """Observe `value` `count` times in the series with these label values; a count of 0 only creates the series."""
        series = self._series.setdefault(tuple(labels), _Series([0] * len(self._bounds)))
        bucket = bisect.bisect_left(self._bounds, value)
        series.counts[bucket] += count
        series.total += value * count
        if exemplar:
            series.exemplars[bucket] = Exemplar(dict(exemplar), value, time.time())

    def remove(self, labels: Sequence[str]) -> None:
        """End a series."""
        self._series.pop(tuple(labels), None)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """The family as the client library exposes it."""
        family = HistogramMetricFamily(self._name, self._text, labels=self._labels)
        for labels, series in self._series.items():
            cumulative = 0
            buckets: list[tuple[str, float] | tuple[str, float, Exemplar]] = []
            for number, (bound, count) in enumerate(zip(self._bounds, series.counts, strict=True)):
                cumulative += count
                exemplar = series.exemplars.get(number)
                name = floatToGoString(bound)
                buckets.append((name, cumulative, exemplar) if exemplar else (name, cumulative))
            family.add_metric(labels, buckets, series.total)
        yield family
