"""Log lines in the format of the instrumentation package, without the noise of scrapes and probes."""

import logging
from typing import TextIO

from observability_fastapi.logs import configure as configure_json
from opentelemetry import trace


def trace_id(context: trace.SpanContext) -> str:
    """The trace id in the format of logs, exemplars and Jaeger: 32 hexadecimal digits."""
    return trace.format_trace_id(context.trace_id)


def span_id(context: trace.SpanContext) -> str:
    """The span id: 16 hexadecimal digits."""
    return trace.format_span_id(context.span_id)


def configure(service: str, *, stream: TextIO | None = None) -> None:
    """Write the logs of this process as JSON to `stream` (default: standard output).

    `service` is the service's name on lines whose logger did not bind one.
    """
    configure_json(service, stream=stream)
    # One line per request that the pod sends, also to its own API; failures are lines of whoever sends.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    access = logging.getLogger("uvicorn.access")
    access.setLevel(logging.INFO)
    access.filters = [_is_relevant]


def _is_relevant(record: logging.LogRecord) -> bool:
    """Drops uvicorn's access lines of successful GET requests: scrapes, probes and polls would flood the log."""
    match record.args:
        case (_, str(method), _, _, int(status)):
            return method != "GET" or status >= 400
        case _:
            return True
