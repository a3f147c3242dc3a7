"""Log lines: one JSON object per line on standard output, whoever writes it.

Every line has `timestamp` (RFC 3339, UTC, milliseconds), `level` (upper case), `service` and `message`; lines of a
request have its `request_id` and `project_id`, lines inside a span its `trace_id` and `span_id`. What the standard
library's loggers say (uvicorn's, for one) comes out in the same form.
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
"""Loggers that would write at every failed export or request; sending.py says it once."""
# Made once: json.dumps would make one for every line.
_ENCODER = json.JSONEncoder(default=repr)
_SAID_BY_US = "Exception in ASGI application"
"""How uvicorn begins to tell of an exception that the middleware has written down, with the request that it ended."""


def rfc3339(seconds: float) -> str:
    """A time in seconds since the epoch as log lines write it: 2026-01-31T09:30:00.125Z."""
    whole, milliseconds = divmod(round(seconds * 1e6) // 1000, 1000)
    return f"{_second(whole)}.{milliseconds:03d}Z"


def configure(service: str, *, stream: TextIO | None = None) -> None:
    """Write the logs of this process as JSON to `stream` (default: standard output).

    `service` is the name on lines whose writer did not bind one.
    """

    def line(_: object, method: str, event: EventDict) -> str:
        return _ENCODER.encode(_line(service, method.upper(), event))

    shared: list[Processor] = [structlog.contextvars.merge_contextvars, structlog.processors.format_exc_info, line]
    structlog.configure(
        processors=shared,
        # Standard output as it is when a line is written: tests and wrappers put another file there.
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
    """Write what uvicorn says in the form of all lines; it sets up handlers of its own when it begins to run."""
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True


def mute_server() -> None:
    """Leave out what uvicorn says of requests: the middleware writes a line for each, with its id."""
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)
    logging.getLogger("uvicorn.error").filters = [_not_said]


def _not_said(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(_SAID_BY_US)


@lru_cache(maxsize=1)
def _second(number: int) -> str:
    return datetime.fromtimestamp(number, UTC).strftime("%Y-%m-%dT%H:%M:%S")


@lru_cache(maxsize=1)
def _writer(stream: TextIO) -> structlog.WriteLogger:
    return structlog.WriteLogger(stream)


def _line(service: str, level: str, event: EventDict) -> EventDict:
    """What every line has, for people who read the bare text; then the request's; then what its writer says.

    The writer's own word holds, but for level and message. One pass, because this is most of what a line costs.
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
