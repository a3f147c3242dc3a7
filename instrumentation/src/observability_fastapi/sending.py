"""Sends spans in batches to the collector that the environment names.

Imported only if a collector is configured, so that other services avoid the cost of the import. Only the sending thread
waits for the network.
"""

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import structlog
from opentelemetry import trace
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from observability_fastapi.logs import EXPORTING
from observability_fastapi.settings import InstrumentationError
from observability_fastapi.traces import Receiver

TIMEOUT = 5.0
"""Maximum seconds for one batch, including retries. A pod has ten seconds to end, in which it sends remaining spans."""
_MODULES = {
    ("http/protobuf", "traces"): "opentelemetry.exporter.otlp.proto.http.trace_exporter:OTLPSpanExporter",
    ("http/protobuf", "metrics"): "opentelemetry.exporter.otlp.proto.http.metric_exporter:OTLPMetricExporter",
    ("grpc", "traces"): "opentelemetry.exporter.otlp.proto.grpc.trace_exporter:OTLPSpanExporter",
    ("grpc", "metrics"): "opentelemetry.exporter.otlp.proto.grpc.metric_exporter:OTLPMetricExporter",
}
_PACKAGES = {
    "http/protobuf": "observability-fastapi[otlp]",
    "grpc": "opentelemetry-exporter-otlp-proto-grpc",
}

log = structlog.get_logger()


class Outage:
    """Warns once when a collector stops accepting telemetry, and logs when it accepts it again. Thread-safe."""

    def __init__(self, what: str) -> None:
        """`what` is sent: the plural of a word."""
        self._what = what
        self._lock = threading.Lock()
        self._lost = 0
        """Lost since the last delivered batch."""

    @contextmanager
    def silent(self) -> Generator[None]:
        """Other loggers write nothing about an attempt that fails within the block; one attempt at a time."""
        with self._lock:
            token = EXPORTING.set(True)
            try:
                yield
            finally:
                EXPORTING.reset(token)

    def report(self, number: int, *, delivered: bool) -> None:
        """Note that so many were delivered or lost."""
        if not delivered:
            if not self._lost:
                log.warning(f"{self._what} are not delivered", operation="export", **{self._what: number})
            self._lost += number
        elif self._lost:
            log.info(f"{self._what} are delivered again", operation="export", lost=self._lost)
            self._lost = 0


class Reporting(SpanExporter):
    """Wraps an exporter. Warns once when the collector stops accepting spans, and logs when it accepts them again."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner
        self._outage = Outage("traces")

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Pass on one batch at a time; thread-safe. Never raises: a batch that makes the exporter fail is lost."""
        with self._outage.silent():
            try:
                result = self._inner.export(spans)
            except Exception:
                result = SpanExportResult.FAILURE
        self._outage.report(len(spans), delivered=result is SpanExportResult.SUCCESS)
        return result

    def shutdown(self) -> None:
        """Shut down the wrapped exporter."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Flush the wrapped exporter; this one buffers nothing."""
        return self._inner.force_flush(timeout_millis)


def exporter(signal: str, receiver: Receiver) -> Any:  # noqa: ANN401 - of spans or of metrics
    """An exporter of `traces` or `metrics`. Raises InstrumentationError if its package is not installed."""
    module, _, name = _MODULES[receiver.protocol, signal].partition(":")
    try:
        make: Callable[..., Any] = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        package = _PACKAGES[receiver.protocol]
        raise InstrumentationError(
            f"{signal} are to be sent to {receiver.url}, but {error.name} is not installed: install {package}, or set "
            f"OTEL_{signal.upper()}_EXPORTER=none"
        ) from error
    return make(endpoint=receiver.url, timeout=TIMEOUT)


def send(service: str, receiver: Receiver) -> None:
    """Set OpenTelemetry's global provider; it sends spans of `service`. Raises InstrumentationError."""
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: service}))
    provider.add_span_processor(BatchSpanProcessor(Reporting(exporter("traces", receiver))))
    trace.set_tracer_provider(provider)
