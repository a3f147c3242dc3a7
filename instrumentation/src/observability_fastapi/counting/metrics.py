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
from dataclasses import dataclass
from threading import Lock
from time import time
from typing import Literal, NamedTuple, cast

from opentelemetry.trace import format_span_id, format_trace_id
from prometheus_client import CollectorRegistry
from prometheus_client.core import Exemplar, HistogramMetricFamily, Metric, SummaryMetricFamily, UnknownMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from observability_fastapi.settings import BUCKETS, InstrumentationError

LABELS = ("service", "endpoint", "method", "status", "project_id")
REQUESTS = "request_count"
DURATIONS = "request_duration_seconds"
RESPONSES = "response_status_count"
RECEIVED = "request_size_bytes"
SENT = "response_size_bytes"
HELP = {
    REQUESTS: "Requests.",
    DURATIONS: "Duration of a request in seconds, to the last byte of its answer.",
    RESPONSES: "Responses by status.",
    RECEIVED: "Size of a request's body in bytes, as far as the application read it.",
    SENT: "Size of a response's body in bytes, as sent.",
}

Labels = tuple[str, ...]
"""Values of LABELS, and of the service's own labels."""


@dataclass(frozen=True, kw_only=True)
class Form:
    """Names, labels and buckets, the same for all applications of a registry."""

    bounds: tuple[float, ...] = (*BUCKETS, math.inf)
    """Upper bounds in seconds, with +Inf."""
    prefix: str = ""
    labels: Labels = LABELS
    sizes: bool = False
    until: Literal["last byte", "first byte"] = "last byte"
    compatible_with: str | None = None

    def name(self, name: str) -> str:
        """The exposed name of a metric."""
        return f"{self.prefix}_{name}" if self.prefix else name

    def help(self, name: str) -> str:
        """The help text of a metric."""
        return HELP[name].replace("last byte", self.until)


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


class Row(NamedTuple):
    """A snapshot of a series."""

    labels: Labels
    buckets: Sequence[int]
    total: float
    exemplars: Exemplars | None = None
    received: int = 0
    sent: int = 0


class Series:
    """Counts of one combination of labels."""

    __slots__ = ("buckets", "exemplars", "received", "sent", "total")

    def __init__(self, _labels: Labels, bounds: Sequence[float]) -> None:
        self.buckets = array("Q", bytes(8 * len(bounds)))
        """Count per bucket, not cumulative; the last bucket is +Inf."""
        self.total = 0.0
        self.received = 0
        self.sent = 0
        self.exemplars: Exemplars | None = None

    def add(self, bucket: int, seconds: float, received: int = 0, sent: int = 0) -> None:
        """Count one request; sizes in bytes."""
        self.buckets[bucket] += 1
        self.total += seconds
        self.received += received
        self.sent += sent

    def outside(self) -> Row | None:
        """What is in no file of the processes, without its labels."""
        return Row((), self.buckets.tolist(), self.total, None, self.received, self.sent)


Expose = Callable[[Iterable[Row], Form], Iterable[Metric]]
"""Makes families of rows."""


class RequestMetrics(Collector):
    """Counts requests; every method is thread-safe.

    A lock ensures that, with and without a global interpreter lock. It costs one hundredth of the middleware's time, is
    held for a handful of statements, and is the only lock in the handling of a request.
    """

    def __init__(
        self,
        registry: CollectorRegistry | None = None,
        form: Form | None = None,
        *,
        make: Callable[[Labels, Sequence[float]], Series] = Series,
        expose: Expose | None = None,
        collects: bool = True,
    ) -> None:
        """Register in `registry` unless it is None. `expose` makes the families; by default, those of this module.

        Without `collects`, the registration only reserves the names.

        Raises InstrumentationError if the registry already has metrics with these names.
        """
        self.form = form or Form()
        self._make = make
        self.expose = expose or families
        self._collects = collects
        self._lock = Lock()
        self._series: dict[Labels, Series] = {}
        if registry is not None:
            try:
                registry.register(self)
            except ValueError as error:
                raise InstrumentationError(f"the registry has other metrics of these names: {error}") from error

    def observe(
        self, labels: Labels, seconds: float, trace: tuple[int, int] | None = None, received: int = 0, sent: int = 0
    ) -> None:
        """Count one request that took `seconds`. `trace` is the trace id and span id if the request is traced."""
        bucket = bisect_left(self.form.bounds, seconds)
        with self._lock:
            series = self._series.get(labels)
            if series is None:
                series = self._series[labels] = self._make(labels, self.form.bounds)
            series.add(bucket, seconds, received, sent)
            if trace is not None:
                seen = series.exemplars = series.exemplars or cast("Exemplars", [None] * len(self.form.bounds))
                seen[bucket] = Seen(*trace, seconds, time())

    def rows(self) -> list[Row]:
        """A snapshot of every series."""
        return [self._row(labels, series) for labels, series in self.series()]

    def series(self) -> list[tuple[Labels, Series]]:
        """Every series with its labels."""
        with self._lock:
            return list(self._series.items())

    def forget(self) -> None:
        """Drop every series."""
        self._lock = Lock()  # that of another process may be held by a thread which this one does not have
        self._series = {}

    def describe(self) -> Iterable[Metric]:
        """The families without series; the registry uses them to detect name conflicts."""
        return self.expose((), self.form)

    def collect(self) -> Iterable[Metric]:
        """The families as the client library exposes them."""
        return self.expose(self.rows(), self.form) if self._collects else ()

    def _row(self, labels: Labels, series: Series) -> Row:
        with self._lock:
            exemplars = series.exemplars and series.exemplars.copy()
            return Row(labels, series.buckets.tolist(), series.total, exemplars, series.received, series.sent)


def families(rows: Iterable[Row], form: Form) -> Iterator[Metric]:
    """The families with these rows."""
    requests = UnknownMetricFamily(form.name(REQUESTS), form.help(REQUESTS), labels=form.labels)
    responses = UnknownMetricFamily(form.name(RESPONSES), form.help(RESPONSES), labels=form.labels)
    durations = HistogramMetricFamily(form.name(DURATIONS), form.help(DURATIONS), labels=form.labels)
    received = SummaryMetricFamily(form.name(RECEIVED), form.help(RECEIVED), labels=form.labels)
    sent = SummaryMetricFamily(form.name(SENT), form.help(SENT), labels=form.labels)
    names = [floatToGoString(bound) for bound in form.bounds]
    for row in rows:
        count = sum(row.buckets)
        requests.add_metric(row.labels, count)
        responses.add_metric(row.labels, count)
        durations.add_metric(row.labels, list(_cumulative(row, names)), row.total)
        if form.sizes:
            received.add_metric(row.labels, count, row.received)
            sent.add_metric(row.labels, count, row.sent)
    yield requests
    yield durations
    yield responses
    if form.sizes:
        yield received
        yield sent


def _cumulative(row: Row, names: Sequence[str]) -> Iterator[tuple[str, float] | tuple[str, float, Exemplar]]:
    so_far = 0
    exemplars = row.exemplars or [None] * len(names)
    for name, count, seen in zip(names, row.buckets, exemplars, strict=True):
        so_far += count
        yield (name, so_far, seen.exemplar()) if seen else (name, so_far)
