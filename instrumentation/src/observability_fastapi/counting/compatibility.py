"""The metric names of other packages, computed from the same series, so that existing dashboards and alerts go on.

A request costs nothing more: the families are made at a scrape. Their buckets are those of the setting `buckets`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.utils import floatToGoString

from observability_fastapi.counting.metrics import LABELS, Form, Row, families
from observability_fastapi.endpoints import UNMATCHED

INSTRUMENTATOR = "prometheus-fastapi-instrumentator"
EXPORTER = "starlette-exporter"
NAMES = (INSTRUMENTATOR, EXPORTER)
_ENDPOINT, _METHOD, _STATUS = 1, 2, 3
_EXTRA = len(LABELS)


def with_other_names(rows: Iterable[Row], form: Form) -> Iterator[Metric]:
    """The families of the package's own names, and those of the package that `form` names."""
    known = list(rows)
    yield from families(known, form)
    yield from (_of_instrumentator if form.compatible_with == INSTRUMENTATOR else _of_exporter)(known, form)


def _of_instrumentator(rows: Sequence[Row], form: Form) -> Iterator[Metric]:
    extra = form.labels[_EXTRA:]
    total = CounterMetricFamily("http_requests", "Requests.", labels=("handler", "method", "status", *extra))
    summed = _sum(rows, lambda one: (_handler(one), one.labels[_METHOD], f"{one.labels[_STATUS][0]}xx", *_own(one)))
    for row in summed:
        total.add_metric(row.labels, sum(row.buckets))
    yield total
    yield _histogram("http_request_duration_seconds", ("handler", "method", *extra), rows, form, _of_handler)
    yield _histogram("http_request_duration_highr_seconds", extra, rows, form, _own)
    if form.sizes:
        received = SummaryMetricFamily("http_request_size_bytes", "Requests.", labels=("handler", *extra))
        sent = SummaryMetricFamily("http_response_size_bytes", "Responses.", labels=("handler", *extra))
        for row in _sum(rows, lambda one: (_handler(one), *_own(one))):
            received.add_metric(row.labels, sum(row.buckets), row.received)
            sent.add_metric(row.labels, sum(row.buckets), row.sent)
        yield received
        yield sent


def _of_exporter(rows: Sequence[Row], form: Form) -> Iterator[Metric]:
    names = ("method", "path", "status_code", "app_name", *form.labels[_EXTRA:])
    # That package does not count requests without a route.
    known = [row for row in rows if row.labels[_ENDPOINT] != UNMATCHED]
    total = CounterMetricFamily("starlette_requests", "Requests.", labels=names)
    for row in _sum(known, _of_path):
        total.add_metric(row.labels, sum(row.buckets))
    yield total
    yield _histogram("starlette_request_duration_seconds", names, known, form, _of_path)
    if form.sizes:
        received = CounterMetricFamily("starlette_request_body_bytes", "Bytes of requests.", labels=names)
        sent = CounterMetricFamily("starlette_response_body_bytes", "Bytes of responses.", labels=names)
        for row in _sum(known, _of_path):
            received.add_metric(row.labels, row.received)
            sent.add_metric(row.labels, row.sent)
        yield received
        yield sent


def _handler(row: Row) -> str:
    endpoint = row.labels[_ENDPOINT]
    return "none" if endpoint == UNMATCHED else endpoint


def _own(row: Row) -> tuple[str, ...]:
    return row.labels[_EXTRA:]


def _of_handler(row: Row) -> tuple[str, ...]:
    return (_handler(row), row.labels[_METHOD], *_own(row))


def _of_path(row: Row) -> tuple[str, ...]:
    service, endpoint, method, status = row.labels[:4]
    return (method, endpoint, status, service, *_own(row))


def _sum(rows: Iterable[Row], labels: Callable[[Row], tuple[str, ...]]) -> list[Row]:
    """One row per value of `labels`, with the sums of the rows that have it."""
    found: dict[tuple[str, ...], Row] = {}
    for row in rows:
        key = labels(row)
        old = found.get(key)
        buckets = row.buckets if old is None else [a + b for a, b in zip(old.buckets, row.buckets, strict=True)]
        total, received, sent = (old.total, old.received, old.sent) if old else (0.0, 0, 0)
        found[key] = Row(key, buckets, total + row.total, None, received + row.received, sent + row.sent)
    return list(found.values())


def _histogram(
    name: str, labels: Sequence[str], rows: Sequence[Row], form: Form, key: Callable[[Row], tuple[str, ...]]
) -> Metric:
    family = HistogramMetricFamily(name, "Duration of a request in seconds.", labels=labels)
    names = [floatToGoString(bound) for bound in form.bounds]
    for row in _sum(rows, key):
        family.add_metric(row.labels, list(zip(names, accumulate(row.buckets), strict=True)), row.total)
    return family
