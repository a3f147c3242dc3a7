"""Observes one request on its way through the application, and emits its metrics, log line and span at the end."""

import asyncio
from dataclasses import dataclass
from time import time_ns
from typing import Any, NamedTuple

import structlog
from opentelemetry.trace import Span
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from observability_fastapi.current import Request
from observability_fastapi.endpoints import Endpoints
from observability_fastapi.headers import REQUEST_ID
from observability_fastapi.metrics import RequestMetrics
from observability_fastapi.settings import Settings
from observability_fastapi.traces import describe

OTHER_METHOD = "OTHER"
"""Label of unknown methods, because callers can invent any number of methods."""
METHODS = {
    name: name for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY")
}
OTHER_STATUS = "other"
"""Label of statuses that HTTP does not define."""
STATUSES = {number: str(number) for number in range(100, 600)}
BROKEN = 500
"""Status of a request whose handler raised or ended without a response, and of a response that broke off."""
GONE = 499
"""Status of a request whose client disconnected before the response started, as in common proxies."""
# First message of a response -> its status; 0 means that the message contains the status.
_STARTS = {
    "http.response.start": 0,
    "websocket.http.response.start": 0,
    "websocket.accept": 101,
    "websocket.close": 403,
}
_ENDS = frozenset({"http.response.pathsend", "websocket.accept", "websocket.close"})
_BODIES = frozenset({"http.response.body", "websocket.http.response.body"})
# Caused by the client, not failures of the application.
_LEFT = (ClientDisconnect, WebSocketDisconnect, asyncio.CancelledError)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Parts:
    """Objects that all requests of one application share."""

    settings: Settings
    metrics: RequestMetrics
    endpoints: Endpoints


class Caller(NamedTuple):
    """Identity of a request, and its span."""

    request: Request
    label: str
    """The project's label in metrics."""
    span: Span | None
    own: bool
    """Whether this package created the span and must end it."""


class Exchange:
    """Wraps `send` and `receive` of one request between server and application."""

    __slots__ = (
        "_began", "_caller", "_ended", "_error", "_gone", "_left", "_operation", "_parts", "_receive", "_root", "_said",
        "_scope", "_seconds", "_send", "_status",
    )  # fmt: skip

    def __init__(self, parts: Parts, caller: Caller, scope: Scope, receive: Receive, send: Send) -> None:
        self._began = parts.settings.clock()
        self._parts = parts
        self._caller = caller
        self._scope = scope
        self._receive = receive
        self._send = send
        self._root: str = scope.get("root_path", "")
        self._status = 0
        """0 until the response has started."""
        self._seconds: float | None = None
        """None until the request is counted."""
        self._ended: int | None = None
        self._operation = ""
        self._gone = False
        self._left = False
        self._said = False
        self._error: BaseException | None = None

    async def receive(self) -> Message:
        """The next message from the client."""
        message = await self._receive()
        if not self._status and message["type"].endswith(".disconnect"):
            self._gone = True
        return message

    async def send(self, message: Message) -> None:
        """Pass a message to the client; the first one gets the header with the request id."""
        kind = message["type"]
        if kind in _STARTS and not self._status:
            self._start(kind, message)
        try:
            await self._send(message)
        except OSError:
            # Servers raise it when the client has disconnected.
            self._left = True
            raise
        if (kind in _BODIES and not message.get("more_body", False)) or kind in _ENDS:
            self._finish()

    def failed(self, error: BaseException) -> None:
        """Note an exception that the application raised."""
        if self._left or isinstance(error, _LEFT):
            self._gone = self._gone or not self._status
            return
        self._error = error
        if self._seconds is None:
            self._status = BROKEN

    def close(self) -> None:
        """Finish the request after the application and its background tasks have ended."""
        self._finish()
        if not self._said:
            self._say("request")
        elif self._error is not None:
            self._say("failed after the answer")
        if self._caller.own and self._caller.span is not None:
            self._end(self._caller.span)

    def _start(self, kind: str, message: Message) -> None:
        self._status = _STARTS[kind] or message["status"]
        if kind != "websocket.close":
            # A new list, because the application may send the same object again. Servers accept names in any case.
            headers = [pair for pair in message.get("headers", ()) if pair[0].lower() != REQUEST_ID]
            headers.append((REQUEST_ID, self._caller.request.request_id.encode("ascii")))
            message["headers"] = headers

    def _finish(self) -> None:
        """Count the request once, at the end of its response and before its background tasks."""
        if self._seconds is not None:
            return
        parts, caller, scope = self._parts, self._caller, self._scope
        self._seconds = seconds = parts.settings.clock() - self._began
        self._status = status = GONE if self._gone else self._status or BROKEN
        endpoint = parts.endpoints.of(scope, self._root)
        method = METHODS.get(scope.get("method", "GET"), OTHER_METHOD)
        self._operation = f"{method} {endpoint}"
        labels = (caller.request.service, endpoint, method, STATUSES.get(status, OTHER_STATUS), caller.label)
        parts.metrics.observe(labels, seconds, self._trace())
        if caller.own and scope["type"] == "http":
            self._ended = time_ns()
        if status < BROKEN:
            self._say("request")

    def _trace(self) -> tuple[int, int] | None:
        """Trace id and span id for an exemplar; None if the trace is not recorded."""
        span = self._caller.span
        if span is None or not span.is_recording():
            return None
        context = span.get_span_context()
        return (context.trace_id, context.span_id) if context.trace_flags.sampled else None

    def _say(self, message: str) -> None:
        self._said = True
        if not self._parts.settings.log_requests:
            return
        about: dict[str, Any] = {"operation": self._operation, "status": self._status}
        about["duration_ms"] = round((self._seconds or 0.0) * 1000, 1)
        if self._error is not None or self._status >= BROKEN:
            log.error(message, **about, exc_info=self._error)
        else:
            log.info(message, **about)

    def _end(self, span: Span) -> None:
        if span.is_recording():
            request = self._caller.request
            about = {"request_id": request.request_id, "project_id": request.project_id}
            if self._error is not None:
                span.record_exception(self._error)
            describe(span, self._operation, self._status, about)
        span.end(self._ended)
