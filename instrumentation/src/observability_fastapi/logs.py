"""Log lines: one JSON object per line on standard output, whoever writes it.

Every line has `timestamp` (RFC 3339, UTC, milliseconds), `level` (upper case), `service` and `message`; lines of a
request have its `request_id` and `project_id`, lines inside a span its `trace_id` and `span_id`. What the standard
library's loggers say (uvicorn's, for one) comes out in the same form.
"""

import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

import structlog
from opentelemetry import trace
from structlog.typing import EventDict, Processor

from observability_fastapi.current import CURRENT

QUIET = ("opentelemetry", "urllib3", "httpx")
"""Loggers that would write at every failed export or request; sending.py says it once."""
_FIRST = ("timestamp", "level", "service", "message")
_SAID_BY_US = "Exception in ASGI application"
"""How uvicorn begins to tell of an exception that the middleware has written down, with the request that it ended."""


def rfc3339(seconds: float) -> str:
    """A time in seconds since the epoch as log lines write it: 2026-01-31T09:30:00.125Z."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


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
        add_request,
        named,
        _stamp,
        _add_span,
        structlog.processors.format_exc_info,
        structlog.processors.EventRenamer("message"),
        _in_order,
        structlog.processors.JSONRenderer(),
    ]
    structlog.configure(
        processors=shared,
        logger_factory=structlog.WriteLoggerFactory(stream),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *shared],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def take_server() -> None:
    """Write what uvicorn says in the form of all lines; it sets up handlers of its own when it begins to run."""
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True


def mute_server() -> None:
    """Leave out what uvicorn says of requests: the middleware writes a line for each, with its id."""
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").filters = [_not_said]


def add_request(_: object, __: str, event: EventDict) -> EventDict:
    """A structlog processor: ids of the request that is being handled, if there is one."""
    request = CURRENT.get()
    if request is not None:
        event.setdefault("service", request.service)
        event.setdefault("request_id", request.request_id)
        event.setdefault("project_id", request.project_id)
    return event


def _not_said(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(_SAID_BY_US)


def _stamp(_: object, __: str, event: EventDict) -> EventDict:
    if "timestamp" not in event:
        event["timestamp"] = f"{datetime.now(UTC).isoformat(timespec='milliseconds')[:-6]}Z"
    event["level"] = str(event["level"]).upper()
    return event


def _add_span(_: object, __: str, event: EventDict) -> EventDict:
    if "trace_id" not in event:
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            event["trace_id"] = trace.format_trace_id(context.trace_id)
            event["span_id"] = trace.format_span_id(context.span_id)
    return event


def _in_order(_: object, __: str, event: EventDict) -> EventDict:
    """What every line has comes first, for people who read the bare text."""
    return {**{key: event[key] for key in _FIRST}, **event}
