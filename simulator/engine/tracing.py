"""Traces of several services in one process, sent in batches to the OpenTelemetry agent.

Every trace is sent; the collector decides which ones to keep. Spans are created even without a collector, so log lines
and exemplars always have trace ids. Only the batch thread waits for the network.
"""

import asyncio

from observability_fastapi.sending import Reporting
from observability_fastapi.traces import ENDPOINT
from opentelemetry import trace
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased

QUEUE = 4096
"""Maximum number of waiting spans. Further spans are dropped, so an absent collector costs at most about 8 MiB."""
_BATCH = 512
_DELAY = 1000.0
"""Milliseconds after which an incomplete batch is sent."""


class NotDeliveredError(RuntimeError):
    """The collector rejected the spans, or no collector is configured; see the message."""


class Tracers:
    """One tracer per service name; all pass their spans to the same processor."""

    def __init__(self, processor: SpanProcessor | None) -> None:
        """Without a `processor`, spans have ids but are not sent."""
        self._processor = processor
        self._tracers: dict[str, trace.Tracer] = {}

    def tracer(self, service: str) -> trace.Tracer:
        """The tracer of one service; the same one each time."""
        if service not in self._tracers:
            resource = Resource.create({SERVICE_NAME: service})
            provider = TracerProvider(sampler=ParentBased(ALWAYS_ON), resource=resource, shutdown_on_exit=False)
            if self._processor:
                provider.add_span_processor(self._processor)
            self._tracers[service] = provider.get_tracer("simulator")
        return self._tracers[service]


class SpanBuffer(SpanProcessor):
    """Buffers ended spans until they are taken."""

    def __init__(self) -> None:
        self._ended: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        """Add one span."""
        self._ended.append(span)

    def take(self) -> list[ReadableSpan]:
        """Spans that ended since the previous call."""
        ended, self._ended = self._ended, []
        return ended


class DirectTracers(Tracers):
    """Tracers whose spans bypass the queue: `deliver` either sends all of them or raises an error."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._buffer = SpanBuffer()
        self._exporter = exporter
        super().__init__(self._buffer)

    async def deliver(self) -> None:
        """Send the ended spans without blocking the event loop. Raises NotDeliveredError."""
        spans = self._buffer.take()
        # Does not use the batch processor: its force_flush loses spans silently, and never returns while a collector is
        # unreachable and new spans arrive.
        for start in range(0, len(spans), _BATCH):
            result = await asyncio.to_thread(self._exporter.export, spans[start : start + _BATCH])
            if result is not SpanExportResult.SUCCESS:
                raise NotDeliveredError("the collector rejects spans; those of earlier batches were sent")


class Tracing(Tracers):
    """The tracers of one process, with the queue in front of the collector."""

    def __init__(self, exporter: SpanExporter | None = None) -> None:
        """Without an `exporter`, no spans are sent."""
        self._exporter = Reporting(exporter) if exporter else None
        self._queue = (
            BatchSpanProcessor(
                self._exporter, max_queue_size=QUEUE, max_export_batch_size=_BATCH, schedule_delay_millis=_DELAY
            )
            if self._exporter
            else None
        )
        super().__init__(self._queue)

    def direct(self) -> DirectTracers:
        """Tracers for spans whose delivery must be confirmed. Raises NotDeliveredError without a collector."""
        if self._exporter is None:
            raise NotDeliveredError(f"{ENDPOINT} is not set: this pod sends no traces")
        return DirectTracers(self._exporter)

    def shutdown(self) -> None:
        """Send the remaining spans, and end the batch thread."""
        if self._queue:
            self._queue.shutdown()
