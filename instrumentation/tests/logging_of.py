"""What tests read back of log lines and spans."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from observability_fastapi import logs
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


@contextmanager
def written(service: str = "shop", level: int | None = None) -> Iterator[io.StringIO]:
    """Log as the package does."""
    stream = io.StringIO()
    root = logging.getLogger()
    before, was = root.handlers, root.level
    logs.configure(service, stream=stream, level=level)
    try:
        yield stream
    finally:
        root.handlers = before
        root.setLevel(was)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def recorded() -> tuple[trace.Tracer, InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider.get_tracer("test"), exporter
