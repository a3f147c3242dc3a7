"""Traces: several services in one process, sent in batches to the OpenTelemetry agent.

Every trace is sent; which are kept is the collector's decision. Spans are made with or without a collector, so log
lines and exemplars carry trace ids in any case, and nothing here waits for the network but the batch thread.
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
"""Spans that wait for the batch thread; more are dropped, so an absent collector costs at most some 8 MiB."""
_BATCH = 512
_DELAY = 1000.0
"""Milliseconds after which a batch that is not full goes out."""


class NotDeliveredError(RuntimeError):
    """The collector did not take the spans, or there is none; the text says which."""


class Tracers:
    """One tracer per service name, all of which give their spans to the same processor."""

    def __init__(self, processor: SpanProcessor | None) -> None:
        """Without a `processor` spans have ids and go nowhere."""
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


class Kept(SpanProcessor):
    """Keeps what ended until somebody takes it."""

    def __init__(self) -> None:
        self._ended: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        """Keep one span."""
        self._ended.append(span)

    def take(self) -> list[ReadableSpan]:
        """All that ended since the call before."""
        ended, self._ended = self._ended, []
        return ended


class Sending(Tracers):
    """Tracers whose spans are sent when told, past the queue: either all of them arrive or somebody is told."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._kept = Kept()
        self._exporter = exporter
        super().__init__(self._kept)

    async def deliver(self) -> None:
        """Send what ended, without blocking the event loop. Raises NotDeliveredError."""
        spans = self._kept.take()
        # Not through the batch processor: its force_flush loses spans silently, and while a collector is away and new
        # spans keep coming, it never returns.
        for start in range(0, len(spans), _BATCH):
            result = await asyncio.to_thread(self._exporter.export, spans[start : start + _BATCH])
            if result is not SpanExportResult.SUCCESS:
                raise NotDeliveredError("the collector does not take spans; what was sent before stays sent")


class Tracing(Tracers):
    """The tracers of one process and the queue in front of the collector."""

    def __init__(self, exporter: SpanExporter | None = None) -> None:
        """Without an `exporter` nothing is sent."""
        self._exporter = Reporting(exporter) if exporter else None
        self._queue = (
            BatchSpanProcessor(
                self._exporter, max_queue_size=QUEUE, max_export_batch_size=_BATCH, schedule_delay_millis=_DELAY
            )
            if self._exporter
            else None
        )
        super().__init__(self._queue)

    def sending(self) -> Sending:
        """Tracers for spans that must be known to have arrived. Raises NotDeliveredError without a collector."""
        if self._exporter is None:
            raise NotDeliveredError(f"{ENDPOINT} is not set: this pod sends no traces")
        return Sending(self._exporter)

    def shutdown(self) -> None:
        """Send what is left, and end the batch thread."""
        if self._queue:
            self._queue.shutdown()
