"""Sends spans in batches to the collector that the environment names.

Imported only if a collector is configured, so that other services avoid the cost of the import. Only the sending thread
waits for the network.
"""

import threading
from collections.abc import Sequence

import structlog
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

TIMEOUT = 5.0
"""Maximum seconds for one batch, including retries. A pod has ten seconds to end, in which it sends remaining spans."""

log = structlog.get_logger()


class Reporting(SpanExporter):
    """Wraps an exporter. Warns once when the collector stops accepting spans, and logs when it accepts them again."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner
        self._lock = threading.Lock()
        self._lost = 0
        """Number of lost spans since the last delivered batch."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Pass on one batch at a time; thread-safe. Never raises: a batch that makes the exporter fail is lost."""
        with self._lock:
            try:
                result = self._inner.export(spans)
            except Exception:
                result = SpanExportResult.FAILURE
            self._report(len(spans), delivered=result is SpanExportResult.SUCCESS)
            return result

    def _report(self, spans: int, *, delivered: bool) -> None:
        if not delivered:
            if not self._lost:
                log.warning("traces are not delivered", operation="export", spans=spans)
            self._lost += spans
        elif self._lost:
            log.info("traces are delivered again", operation="export", lost=self._lost)
            self._lost = 0

    def shutdown(self) -> None:
        """Shut down the wrapped exporter."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Flush the wrapped exporter; this one buffers nothing."""
        return self._inner.force_flush(timeout_millis)


def exporter(url: str) -> SpanExporter:
    """An exporter that sends spans to the full URL of an OTLP receiver."""
    return OTLPSpanExporter(endpoint=url, timeout=TIMEOUT)


def send(service: str, url: str) -> None:
    """Set OpenTelemetry's global provider; it sends spans of `service` to `url`."""
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: service}))
    provider.add_span_processor(BatchSpanProcessor(Reporting(exporter(url))))
    trace.set_tracer_provider(provider)
