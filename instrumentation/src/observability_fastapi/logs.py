"""Log lines: one JSON object per line on standard output, from every logger.

Every line has `timestamp` (RFC 3339, UTC, milliseconds), `level` (upper case), `service` and `message`; lines of a
request have its `request_id` and `project_id`, lines inside a span its `trace_id` and `span_id`. The standard
library's loggers, such as uvicorn's, use the same format.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from functools import lru_cache
from time import time
from typing import TextIO

import structlog
from opentelemetry import trace
from structlog.typing import EventDict, Processor

from observability_fastapi.current import CURRENT

QUIET = ("opentelemetry", "urllib3", "httpx")
"""Loggers that would write a line for every failed export or request; sending.py logs one per outage."""
# Created once; json.dumps would create an encoder for every line.
_ENCODER = json.JSONEncoder(default=repr)
_ALREADY_LOGGED = "Exception in ASGI application"
"""Start of uvicorn's message about an exception that the middleware has already logged with its request."""


def rfc3339(seconds: float) -> str:
    """Seconds since the epoch in the format of log lines: 2026-01-31T09:30:00.125Z."""
    whole, milliseconds = divmod(round(seconds * 1e6) // 1000, 1000)
    return f"{_second(whole)}.{milliseconds:03d}Z"


def configure(service: str, *, stream: TextIO | None = None) -> None:
    """Write the logs of this process as JSON to `stream` (default: standard output).

    `service` is the service's name on lines whose logger did not bind one.
    """

    def line(_: object, method: str, event: EventDict) -> str:
        return _ENCODER.encode(_line(service, method.upper(), event))

    shared: list[Processor] = [structlog.contextvars.merge_contextvars, structlog.processors.format_exc_info, line]
    structlog.configure(
        processors=shared,
        # Looks up standard output at every line, because tests and wrappers replace it.
        logger_factory=lambda *_: _writer(stream or sys.stdout),
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
    """Write uvicorn's lines in the common format; uvicorn installs its own handlers when it starts."""
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True


def mute_server() -> None:
    """Drop uvicorn's lines about requests, because the middleware writes a line with an id for each request."""
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").filters = [_is_new]


def _is_new(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(_ALREADY_LOGGED)


@lru_cache(maxsize=1)
def _second(number: int) -> str:
    return datetime.fromtimestamp(number, UTC).strftime("%Y-%m-%dT%H:%M:%S")


@lru_cache(maxsize=1)
def _writer(stream: TextIO) -> structlog.WriteLogger:
    return structlog.WriteLogger(stream)


def _line(service: str, level: str, event: EventDict) -> EventDict:
    """The fields of a line: common fields first, for people who read the raw text; then the request's; then `event`.

    Fields of `event` take precedence, except for level and message. Done in one pass, because this is most of the cost
    of a line.
    """
    message = event.pop("event", None)
    request = CURRENT.get()
    line: EventDict = {"timestamp": None, "level": level, "service": service, "message": message}
    if request is not None:
        line["service"] = request.service
        line["request_id"] = request.request_id
        line["project_id"] = request.project_id
    if "trace_id" not in event:
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            line["trace_id"] = trace.format_trace_id(context.trace_id)
            line["span_id"] = trace.format_span_id(context.span_id)
    line.update(event)
    line["level"], line["message"] = level, message
    if line["timestamp"] is None:
        line["timestamp"] = rfc3339(time())
    return line
