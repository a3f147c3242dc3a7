"""The metrics of requests: one object per combination of labels, one lock, three families.

`request_count` and `response_status_count` are exposed under exactly these names, so that a query for `request_count`
works. The client library appends `_total` to counters, and OpenMetrics, the only format with exemplars, requires it. A
family of type `unknown` keeps its name in both text formats. Only the type in Prometheus' metadata is lost, on which
`rate` and `increase` do not depend.
"""

import math
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from threading import Lock
from time import time
from typing import NamedTuple, cast

from opentelemetry.trace import format_span_id, format_trace_id
from prometheus_client import CollectorRegistry
from prometheus_client.core import Exemplar, HistogramMetricFamily, Metric, UnknownMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from observability_fastapi.settings import BUCKETS, InstrumentationError

LABELS = ("service", "endpoint", "method", "status", "project_id")
REQUESTS = "request_count"
DURATIONS = "request_duration_seconds"
RESPONSES = "response_status_count"
HELP = {
    REQUESTS: "Requests.",
    DURATIONS: "Duration of a request in seconds, to the last byte of its answer.",
    RESPONSES: "Responses by status.",
}

Labels = tuple[str, str, str, str, str]
"""Values of LABELS."""


class Seen(NamedTuple):
    """The request of an exemplar. Ids are numbers, because most exemplars are replaced before they are exposed."""

    trace_id: int
    span_id: int
    seconds: float
    at: float
    """Seconds since the epoch."""

    def exemplar(self) -> Exemplar:
        """The client library's object."""
        ids = {"trace_id": format_trace_id(self.trace_id), "span_id": format_span_id(self.span_id)}
        return Exemplar(ids, self.seconds, self.at)


Exemplars = list[Seen | None]
"""One entry per bucket."""


class Series:
    """Counts of one combination of labels."""

    __slots__ = ("buckets", "exemplars", "total")

    def __init__(self, _labels: Labels, bounds: Sequence[float]) -> None:
        self.buckets = array("Q", bytes(8 * len(bounds)))
        """Count per bucket, not cumulative; the last bucket is +Inf."""
        self.total = 0.0
        self.exemplars: Exemplars | None = None

    def add(self, bucket: int, seconds: float) -> None:
        """Count one request."""
        self.buckets[bucket] += 1
        self.total += seconds


class Row(NamedTuple):
    """A snapshot of a series."""

    labels: Labels
    buckets: Sequence[int]
    total: float
    exemplars: Exemplars | None


class RequestMetrics(Collector):
    """Counts requests; every method is thread-safe.

    A lock ensures that, with and without a global interpreter lock. It costs one hundredth of the middleware's time, is
    held for a handful of statements, and is the only lock in the handling of a request.
    """

    def __init__(
        self,
        registry: CollectorRegistry | None = None,
        buckets: Sequence[float] = BUCKETS,
        *,
        make: Callable[[Labels, Sequence[float]], Series] = Series,
    ) -> None:
        """Register in `registry` unless it is None. `buckets` are upper bounds in seconds, without +Inf.

        Raises InstrumentationError if the registry already has metrics with these names.
        """
        self.bounds = (*buckets, math.inf)
        self._make = make
        self._lock = Lock()
        self._series: dict[Labels, Series] = {}
        if registry is not None:
            try:
                registry.register(self)
            except ValueError as error:
                raise InstrumentationError(f"the registry has other metrics of these names: {error}") from error

    def observe(self, labels: Labels, seconds: float, trace: tuple[int, int] | None = None) -> None:
        """Count one request that took `seconds`. `trace` is the trace id and span id if the request is traced."""
        bucket = bisect_left(self.bounds, seconds)
        with self._lock:
            series = self._series.get(labels)
            if series is None:
                series = self._series[labels] = self._make(labels, self.bounds)
            series.add(bucket, seconds)
            if trace is not None:
                seen = series.exemplars = series.exemplars or cast("Exemplars", [None] * len(self.bounds))
                seen[bucket] = Seen(*trace, seconds, time())

    def rows(self) -> list[Row]:
        """A snapshot of every series."""
        with self._lock:
            known = list(self._series.items())
        return [self._row(labels, series) for labels, series in known]

    def describe(self) -> Iterable[Metric]:
        """The families without series; the registry uses them to detect name conflicts."""
        return families((), self.bounds)

    def collect(self) -> Iterable[Metric]:
        """The families as the client library exposes them."""
        return families(self.rows(), self.bounds)

    def _row(self, labels: Labels, series: Series) -> Row:
        with self._lock:
            exemplars = series.exemplars and series.exemplars.copy()
            return Row(labels, series.buckets.tolist(), series.total, exemplars)


def families(rows: Iterable[Row], bounds: Sequence[float]) -> Iterator[Metric]:
    """The three families with these rows; `bounds` are the upper bounds of their buckets."""
    requests = UnknownMetricFamily(REQUESTS, HELP[REQUESTS], labels=LABELS)
    responses = UnknownMetricFamily(RESPONSES, HELP[RESPONSES], labels=LABELS)
    durations = HistogramMetricFamily(DURATIONS, HELP[DURATIONS], labels=LABELS)
    names = [floatToGoString(bound) for bound in bounds]
    for row in rows:
        count = sum(row.buckets)
        requests.add_metric(row.labels, count)
        responses.add_metric(row.labels, count)
        durations.add_metric(row.labels, list(_cumulative(row, names)), row.total)
    yield requests
    yield durations
    yield responses


def _cumulative(row: Row, names: Sequence[str]) -> Iterator[tuple[str, float] | tuple[str, float, Exemplar]]:
    so_far = 0
    exemplars = row.exemplars or [None] * len(names)
    for name, count, seen in zip(names, row.buckets, exemplars, strict=True):
        so_far += count
        yield (name, so_far, seen.exemplar()) if seen else (name, so_far)
