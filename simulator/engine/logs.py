"""Log lines: as the instrumentation package writes them, without the noise of scrapes and probes."""

import logging
from typing import TextIO

from observability_fastapi.logs import configure as configure_json
from opentelemetry import trace


def trace_id(context: trace.SpanContext) -> str:
    """The trace's id as logs, exemplars and Jaeger write it: 32 hexadecimal digits."""
    return trace.format_trace_id(context.trace_id)


def span_id(context: trace.SpanContext) -> str:
    """The span's id: 16 hexadecimal digits."""
    return trace.format_span_id(context.span_id)


def configure(service: str, *, stream: TextIO | None = None) -> None:
    """Write the logs of this process as JSON to `stream` (default: standard output).

    `service` is the name on lines whose writer did not bind one.
    """
    configure_json(service, stream=stream)
    access = logging.getLogger("uvicorn.access")
    access.setLevel(logging.INFO)
    access.filters = [_worth_a_line]


def _worth_a_line(record: logging.LogRecord) -> bool:
    """Scrapes, probes and polls would drown the log: of uvicorn's access lines, a GET that succeeded is left out."""
    match record.args:
        case (_, str(method), _, _, int(status)):
            return method != "GET" or status >= 400
        case _:
            return True
