"""Traces on their way out: spans in batches to the collector that the environment names.

Imported only where one is named: a service without it does not pay for what sends. Nothing here waits for the network
but the thread that sends.
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
"""Seconds for one batch with all repetitions; a pod has ten to end, and sends what is left within them."""

log = structlog.get_logger()


class Reporting(SpanExporter):
    """Another exporter, which warns once when the collector does not answer, and says when it does again."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner
        self._lock = threading.Lock()
        self._lost = 0
        """Spans that were not delivered since the last batch that was."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Pass a batch on; one at a time, whoever calls. Never raises: a batch that breaks the exporter is lost."""
        with self._lock:
            try:
                result = self._inner.export(spans)
            except Exception:
                result = SpanExportResult.FAILURE
            self._say(len(spans), delivered=result is SpanExportResult.SUCCESS)
            return result

    def _say(self, spans: int, *, delivered: bool) -> None:
        if not delivered:
            if not self._lost:
                log.warning("traces are not delivered", operation="export", spans=spans)
            self._lost += spans
        elif self._lost:
            log.info("traces are delivered again", operation="export", lost=self._lost)
            self._lost = 0

    def shutdown(self) -> None:
        """End the other exporter."""
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Nothing is kept here."""
        return self._inner.force_flush(timeout_millis)


def exporter(url: str) -> SpanExporter:
    """Sends spans to the full URL of an OTLP receiver."""
    return OTLPSpanExporter(endpoint=url, timeout=TIMEOUT)


def send(service: str, url: str) -> None:
    """Make OpenTelemetry's global provider, whose spans are those of `service` and go to `url`."""
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: service}))
    provider.add_span_processor(BatchSpanProcessor(Reporting(exporter(url))))
    trace.set_tracer_provider(provider)
