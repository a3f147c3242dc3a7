"""Log lines: one JSON object per line on standard output, whoever writes it.

Every line has `timestamp` (RFC 3339, UTC, milliseconds), `level` (upper case), `service` and `message`; lines written
inside a span get its `trace_id` and `span_id`. What the standard library's loggers say (uvicorn's, for one) comes out
in the same form.
"""

import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

import structlog
from opentelemetry import trace
from structlog.typing import EventDict, Processor

QUIET = ("opentelemetry", "urllib3", "httpx")
"""Loggers that would write at every failed export or request; tracing.py and api.py say it in their own words."""
_FIRST = ("timestamp", "level", "service", "message")


def rfc3339(seconds: float) -> str:
    """A time in seconds since the epoch as log lines write it: 2026-01-31T09:30:00.125Z."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


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

    def named(_: object, __: str, event: EventDict) -> EventDict:
        event.setdefault("service", service)
        return event

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        named,
        _stamp,
        _add_span,
        structlog.processors.format_exc_info,
        structlog.processors.EventRenamer("message"),
        _in_order,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        logger_factory=structlog.WriteLoggerFactory(stream),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *shared,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    logging.getLogger("uvicorn.access").setLevel(logging.INFO)
    logging.getLogger("uvicorn.access").filters = [_worth_a_line]


def _worth_a_line(record: logging.LogRecord) -> bool:
    """Scrapes, probes and polls would drown the log: of uvicorn's access lines, a GET that succeeded is left out."""
    match record.args:
        case (_, str(method), _, _, int(status)):
            return method != "GET" or status >= 400
        case _:
            return True


def _stamp(_: object, __: str, event: EventDict) -> EventDict:
    event.setdefault("timestamp", rfc3339(datetime.now(UTC).timestamp()))
    event["level"] = str(event["level"]).upper()
    return event


def _add_span(_: object, __: str, event: EventDict) -> EventDict:
    context = trace.get_current_span().get_span_context()
    if context.is_valid and "trace_id" not in event:
        event.update(trace_id=trace_id(context), span_id=span_id(context))
    return event


def _in_order(_: object, __: str, event: EventDict) -> EventDict:
    """What every line has comes first, for people who read the bare text."""
    return {**{key: event[key] for key in _FIRST}, **event}
