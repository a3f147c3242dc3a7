"""Log lines: one JSON object per line on standard output, from every logger.

Every line has `timestamp` (RFC 3339, UTC, milliseconds), `level` (upper case), `service` and `message`; lines of a
request have its `request_id` and `project_id`, and its `trace_id` and `span_id`, or those of the span in which they
were written. The standard library's loggers, such as uvicorn's, use the same format. No log call raises an exception.
"""

import functools
import logging
import sys
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from threading import Lock
from time import time
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor

from observability_fastapi.current import CURRENT, trace_ids
from observability_fastapi.encoding import encode, text
from observability_fastapi.failures import FAILURES, LOG

EXPORTING: ContextVar[bool] = ContextVar("observability_fastapi_exporting", default=False)
"""True in a thread that sends telemetry: sending.py writes one line per outage, not one per failed attempt."""
ERROR = logging.ERROR
"""Highest level at which the line about an exception is written."""
_METHODS = ("debug", "info", "warning", "warn", "error", "err", "critical", "fatal", "exception", "msg", "log")
# Fields that a method of structlog's logger would take for its own parameters.
_PARAMETERS = ("self", "event", "method_name", "exc_info")
# Fields that a record has without `extra`.
_RECORD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_RESERVED = ("level", "message")


def rfc3339(seconds: float) -> str:
    """Seconds since the epoch in the format of log lines: 2026-01-31T09:30:00.125Z."""
    whole, milliseconds = divmod(round(seconds * 1e6) // 1000, 1000)
    return f"{_second(whole)}.{milliseconds:03d}Z"


def configure(service: str, *, stream: TextIO | None = None, level: int | None = None) -> None:
    """Write the logs of this process as JSON to `stream` (default: standard output).

    `service` is the service's name on lines whose logger did not bind one. `level` is the lowest level that is written;
    None: that of the root logger, if the service has set another one than Python's default, otherwise INFO. Handlers of
    the root logger stay, except those that write to the terminal, whose lines would be there twice.
    """
    root = logging.getLogger()
    if level is None:
        level = logging.INFO if root.level in (logging.NOTSET, logging.WARNING) else root.level
    output = Output(stream)

    def write(_: object, method: str, event: EventDict) -> str:
        return encode(_line(service, method.upper(), event))

    processors: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        write,
    ]
    structlog.configure(
        processors=processors, logger_factory=lambda *_: _Writer(output), wrapper_class=_harmless(level)
    )
    # A new list, so that whoever keeps the old one can put it back.
    root.handlers = [*(one for one in root.handlers if not is_own(one)), JsonHandler(service, output)]
    root.setLevel(level)


def is_own(handler: logging.Handler) -> bool:
    """Whether a handler writes to the terminal, or is that of an earlier call."""
    terminal = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
    return isinstance(handler, JsonHandler) or (
        type(handler) is logging.StreamHandler and getattr(handler, "stream", None) in terminal
    )


class Output:
    """Writes lines to a stream. A stream that cannot be written, such as a full disk or a closed pipe, loses them."""

    def __init__(self, stream: TextIO | None) -> None:
        """Without a `stream`: standard output, looked up at every line, because tests and wrappers replace it."""
        self._stream = stream
        self._lock = Lock()

    def write(self, line: str) -> None:
        """Write one line; thread-safe, never raises."""
        try:
            with self._lock:
                stream = self._stream or sys.stdout
                stream.write(f"{line}\n")
                stream.flush()
        except Exception as error:
            FAILURES.note(LOG, error)


class _Writer:
    """structlog's logger: every method takes a line that is complete."""

    def __init__(self, output: Output) -> None:
        self.msg = self.debug = self.info = self.warning = self.error = output.write
        self.log = self.critical = self.fatal = self.exception = self.warn = self.failure = output.write


class JsonHandler(logging.Handler):
    """Writes the records of the standard library's loggers."""

    def __init__(self, service: str, output: Output) -> None:
        super().__init__()
        self._service = service
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; never raises. A message that does not fit its arguments is written with them beside it."""
        if EXPORTING.get():
            return
        try:
            event: EventDict = {**structlog.contextvars.get_contextvars(), "logger": record.name}
            event |= {name: value for name, value in vars(record).items() if name not in _RECORD}
            try:
                event["event"] = record.getMessage()
            except Exception:
                event |= {"event": text(record.msg), "arguments": record.args}
            if record.exc_info:
                event["exception"] = record.exc_text or _FORMATTER.formatException(record.exc_info)
            if record.stack_info:
                event["stack"] = record.stack_info
            self._output.write(encode(_line(self._service, record.levelname, event)))
        except Exception as error:
            FAILURES.note(LOG, error)


_FORMATTER = logging.Formatter()


@lru_cache
def _harmless(level: int) -> type[Any]:
    """structlog's logger that writes lines from `level`, with methods that never raise an exception."""
    # structlog knows the standard levels only.
    base = structlog.make_filtering_bound_logger(min(-(-level // 10) * 10, logging.CRITICAL))
    methods = {name: _guarded(name, getattr(base, name)) for name in _METHODS if hasattr(base, name)}
    methods |= {
        name: _guarded_async(name[1:], getattr(base, name))
        for name in (f"a{one}" for one in _METHODS)
        if hasattr(base, name)
    }
    return type("Logger", (base,), methods)


def _guarded(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(self: Any, /, *args: Any, **fields: Any) -> Any:  # noqa: ANN401 - as structlog's
        try:
            return method(self, *args, **fields)
        except Exception as error:
            return _rescue(self, name, error, args, fields)

    return call


def _guarded_async(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    async def call(self: Any, /, *args: Any, **fields: Any) -> Any:  # noqa: ANN401 - as structlog's
        try:
            return await method(self, *args, **fields)
        except Exception as error:
            return _rescue(self, name, error, args, fields)

    return call


def _rescue(logger: Any, name: str, error: Exception, args: tuple[Any, ...], fields: dict[str, Any]) -> None:  # noqa: ANN401
    """Write the line of a call that failed, as far as possible: its text and its fields without formatting."""
    FAILURES.note(LOG, error, method=name)
    try:
        about = {f"{field}_" if field in _PARAMETERS else field: value for field, value in fields.items()}
        message, *rest = (one if isinstance(one, str) else text(one) for one in (args or ("",)))
        if rest:
            about["arguments"] = rest
        logger._proxy_to_logger(name if name in ("debug", "info", "warning") else "error", message, **about)
    except Exception as second:
        FAILURES.note(LOG, second)


@lru_cache(maxsize=1)
def _second(number: int) -> str:
    return datetime.fromtimestamp(number, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _line(service: str, level: str, event: EventDict) -> EventDict:
    """The fields of a line: common fields first, for people who read the raw text; then the request's; then `event`.

    Fields of `event` take precedence, except for level and message, and for a timestamp that is no text: these get a
    name that ends with `_`. Done in one pass, because this is most of the cost of a line.
    """
    message = event.pop("event", None)
    request = CURRENT.get()
    line: EventDict = {"timestamp": None, "level": level, "service": service, "message": message}
    if request is not None:
        line["service"] = request.service
        line["request_id"] = request.request_id
        line["project_id"] = request.project_id
    if "trace_id" not in event:
        trace_id, span_id = trace_ids()
        if trace_id:
            line["trace_id"] = trace_id
            line["span_id"] = span_id
    line.update(event)
    for name in _RESERVED:
        if name in event:
            line[f"{name}_"] = event[name]
    line["level"], line["message"] = level, message
    given = line["timestamp"]
    if not isinstance(given, str):
        line["timestamp"] = rfc3339(time())
        if given is not None:
            line["timestamp_"] = given
    return line
