"""Sends the metrics of a registry to an OTLP receiver, for services that nobody can scrape.

Imported only if the setting `push` is on. The names stay as they are exposed: counters without the suffix `_total` are
sent as sums that are not monotonic, because receivers add the suffix to the others.
"""

import atexit
import math
import os
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence

from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    MetricExporter,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.metrics.export import Metric as Sent
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.samples import Sample

from observability_fastapi.failures import FAILURES
from observability_fastapi.sending import TIMEOUT, Outage

INTERVAL = "OTEL_METRIC_EXPORT_INTERVAL"
_INTERVAL = 15.0
"""Seconds, as the scrape interval that most rules are written for."""
_CUMULATIVE = AggregationTemporality.CUMULATIVE
_SCOPE = InstrumentationScope("observability_fastapi")


class Push:
    """A thread that sends the metrics of a registry in intervals, and once more when the process ends."""

    def __init__(self, registry: CollectorRegistry, service: str, exporter: MetricExporter) -> None:
        """Each process is an instance of `service` of its own."""
        self._registry = registry
        self._exporter = exporter
        self._resource = Resource.create({SERVICE_NAME: service, SERVICE_INSTANCE_ID: str(uuid.uuid4())})
        self._began = time.time_ns()
        self._outage = Outage("metrics")
        self._ends = threading.Event()

    def start(self) -> None:
        """Start the thread; in the process that counts, so not before a server has forked."""
        threading.Thread(target=self._run, name="metrics-push", daemon=True).start()
        atexit.register(self._end)

    def send(self) -> bool:
        """Send the metrics once. Never raises; returns whether they were delivered."""
        try:
            data = self._data()
            with self._outage.silent():
                result = self._exporter.export(data, timeout_millis=TIMEOUT * 1000)
        except Exception as error:
            FAILURES.note("push", error)
            return False
        delivered = result is MetricExportResult.SUCCESS
        self._outage.report(1, delivered=delivered)
        return delivered

    def _run(self) -> None:
        while not self._ends.wait(_interval()):
            self.send()

    def _end(self) -> None:
        self._ends.set()
        self.send()

    def _data(self) -> MetricsData:
        metrics = list(sent(self._registry.collect(), self._began, time.time_ns()))
        scope = ScopeMetrics(scope=_SCOPE, metrics=metrics, schema_url="")
        return MetricsData([ResourceMetrics(resource=self._resource, scope_metrics=[scope], schema_url="")])


def _interval(environment: Mapping[str, str] = os.environ) -> float:
    given = environment.get(INTERVAL, "")
    return int(given) / 1000 if given.isdigit() and int(given) else _INTERVAL


def sent(families: Iterable[Metric], began: int, now: int) -> Iterator[Sent]:
    """The families as OTLP has them; `began` and `now` are nanoseconds since the epoch."""
    for family in families:
        if family.type == "histogram":
            points = list(_histograms(family, began, now))
            yield Sent(family.name, family.documentation, "", Histogram(points, _CUMULATIVE))
            continue
        by_name: dict[str, list[Sample]] = {}
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                by_name.setdefault(sample.name, []).append(sample)
        for name, samples in by_name.items():
            numbers = [NumberDataPoint(_labels(one), began, now, one.value) for one in samples]
            data = Gauge(numbers)
            if family.type in ("counter", "summary", "unknown"):
                data = Sum(numbers, _CUMULATIVE, is_monotonic=family.type == "counter")
            # Receivers add the suffix of a counter themselves.
            shown = name.removesuffix("_total") if family.type == "counter" else name
            yield Sent(shown, family.documentation, "", data)


def _histograms(family: Metric, began: int, now: int) -> Iterator[HistogramDataPoint]:
    buckets: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
    sums: dict[tuple[tuple[str, str], ...], float] = {}
    exemplars: dict[tuple[tuple[str, str], ...], list[Exemplar]] = {}
    for sample in family.samples:
        key = tuple(sorted(_labels(sample).items()))
        if sample.name.endswith("_bucket"):
            buckets.setdefault(key, []).append((float(sample.labels["le"]), sample.value))
            exemplars.setdefault(key, []).extend(_exemplar(sample, now))
        elif sample.name.endswith("_sum"):
            sums[key] = sample.value
    for key, found in buckets.items():
        found.sort()
        counts = [int(value) for _, value in found]
        bounds: Sequence[float] = [bound for bound, _ in found if bound != math.inf]
        yield HistogramDataPoint(
            attributes=dict(key),
            start_time_unix_nano=began,
            time_unix_nano=now,
            count=counts[-1],
            sum=sums.get(key, 0.0),
            bucket_counts=[high - low for high, low in zip(counts, (0, *counts), strict=False)],
            explicit_bounds=bounds,
            min=math.nan,
            max=math.nan,
            exemplars=exemplars[key],
        )


def _exemplar(sample: Sample, now: int) -> Iterator[Exemplar]:
    """The request that the bucket names, if any."""
    if (seen := sample.exemplar) and "trace_id" in seen.labels:
        at = int(float(seen.timestamp) * 1e9) if seen.timestamp else now
        span = seen.labels.get("span_id", "0")
        yield Exemplar({}, float(seen.value), at, int(span, 16), int(seen.labels["trace_id"], 16))


def _labels(sample: Sample) -> dict[str, str]:
    return {name: value for name, value in sample.labels.items() if name != "le"}
