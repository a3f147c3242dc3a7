"""Observes one request on its way through the application, and emits its metrics, log line and span at the end.

Whatever fails here is noted, and never changes the response.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import time_ns
from typing import Any, NamedTuple

import anyio
import structlog
from opentelemetry import trace
from opentelemetry.trace import Span
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from observability_fastapi import server_logs, spans
from observability_fastapi.counting.labels import OwnLabels
from observability_fastapi.counting.metrics import RequestMetrics
from observability_fastapi.current import Request
from observability_fastapi.endpoints import UNMATCHED, Endpoints
from observability_fastapi.exemplars import ALL, Sampling
from observability_fastapi.failures import FAILURES
from observability_fastapi.headers import REQUEST_ID
from observability_fastapi.settings import Measured, Settings
from observability_fastapi.spans import METHODS, OTHER_METHOD

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

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Parts:
    """Objects that all requests of one application share."""

    settings: Settings
    metrics: RequestMetrics
    endpoints: Endpoints
    labels: OwnLabels | None = None
    in_flight: Callable[[int], None] | None = None
    owns_exceptions: bool = False
    """Whether the lines of this package about exceptions reach the log; the server's are dropped then."""
    sampling: Sampling = ALL


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
        "_began", "_caller", "_ended", "_error", "_gone", "_left", "_operation", "_outer", "_parts", "_receive",
        "_received", "_response_headers", "_root", "_routed", "_said", "_scope", "_seconds", "_send", "_sent", "_sizes",
        "_span", "_status", "_until",
    )  # fmt: skip

    def __init__(self, parts: Parts, caller: Caller, scope: Scope, receive: Receive, send: Send) -> None:
        settings = parts.settings
        self._began = settings.clock()
        self._parts = parts
        self._caller = caller
        self._span = caller.span
        self._outer = self._scope = scope
        self._receive = receive
        self._send = send
        self._root: str = scope.get("root_path", "")
        self._status = 0
        """0 until the response has started."""
        self._seconds: float | None = None
        """None until the request is counted."""
        self._until: float | None = None
        """Time of the first byte, if that ends the duration."""
        self._sizes = settings.sizes
        self._received = self._sent = 0
        self._ended: int | None = None
        self._routed = False
        self._response_headers: Iterable[tuple[bytes, bytes]] = ()
        self._operation = ""
        self._gone = False
        self._left = False
        self._said = False
        self._error: BaseException | None = None

    def routed(self, scope: Scope, parts: Parts) -> None:
        """Note the scope as the router of the application gets it: a middleware may have changed or copied it."""
        if parts is self._parts:
            self._routed = True
            self._scope = scope
            self._root = scope.get("root_path", "")
            if self._span is None and parts.settings.tracing:
                self._join()

    async def receive(self) -> Message:
        """The next message from the client."""
        message = await self._receive()
        if self._sizes:
            self._received += len(message.get("body") or b"")
        if not self._status and message["type"].endswith(".disconnect"):
            self._gone = True
        return message

    async def send(self, message: Message) -> None:
        """Pass a message to the client; the first one gets the header with the request id."""
        kind = message.get("type")
        if kind in _STARTS and not self._status:
            try:
                self._start(kind, message)
            except Exception as error:
                FAILURES.note("response", error)
        elif kind in _BODIES:
            self._measure(message)
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
        if self._left or _is_disconnect(error):
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
        if self._caller.own and self._span is not None:
            try:
                self._end(self._span)
            except Exception as error:
                FAILURES.note("trace", error)

    def _start(self, kind: str, message: Message) -> None:
        self._status = _STARTS[kind] or message["status"]
        self._response_headers = message.get("headers", ())
        if kind != "websocket.close":
            # A new list, because the application may send the same object again. Servers accept names in any case.
            given = message["headers"] = list(message.get("headers", ()))
            headers = [pair for pair in given if pair[0].lower() != REQUEST_ID]
            headers.append((REQUEST_ID, self._caller.request.request_id.encode("ascii")))
            message["headers"] = headers

    def _measure(self, message: Message) -> None:
        """Note the first byte, and the size."""
        try:
            if self._until is None and self._parts.settings.until == "first byte":
                self._until = self._parts.settings.clock()
            if self._sizes:
                self._sent += len(message.get("body") or b"")
        except Exception as error:
            FAILURES.note("response", error)

    def _finish(self) -> None:
        """Count the request once, at the end of its response and before its background tasks."""
        if self._seconds is not None:
            return
        self._seconds = 0.0
        self._status = status = GONE if self._gone else self._status or BROKEN
        try:
            until = self._parts.settings.clock() if self._until is None else self._until
            self._seconds = until - self._began
            self._count(status)
            if self._caller.own and self._outer["type"] == "http":
                self._ended = time_ns()
        except Exception as error:
            FAILURES.note("count", error)
        if status < BROKEN:
            self._say("request")

    def _count(self, status: int) -> None:
        parts, caller = self._parts, self._caller
        method = METHODS.get(self._outer.get("method", "GET"), OTHER_METHOD)
        try:
            endpoint = parts.endpoints.of(self._scope, self._root, routed=self._routed)
        except Exception as error:
            FAILURES.note("endpoint", error)
            endpoint = UNMATCHED
        self._operation = f"{method} {endpoint}"
        labels = (caller.request.service, endpoint, method, STATUSES.get(status, OTHER_STATUS), caller.label)
        if parts.labels is not None:
            labels += parts.labels.of(self._scope)
        parts.metrics.observe(labels, self._seconds or 0.0, self._exemplar(status), self._received, self._sent)
        if parts.settings.on_request is not None:
            headers = Headers(raw=list(self._response_headers))
            try:
                parts.settings.on_request(
                    Measured(self._scope, endpoint, method, status, caller.label, self._seconds or 0.0, headers)
                )
            except Exception as error:
                FAILURES.note("on_request", error)

    def _exemplar(self, status: int) -> tuple[int, int] | None:
        """Trace id and span id; None if the trace is not recorded, or the collector will drop it."""
        span = self._span
        if span is None or not span.is_recording():
            return None
        context = span.get_span_context()
        if not context.trace_flags.sampled:
            return None
        kept = self._parts.sampling.keeps(context.trace_id, status, self._seconds or 0.0)
        return (context.trace_id, context.span_id) if kept else None

    def _join(self) -> None:
        """Use the span that OpenTelemetry's own middleware, between this one and the router, has created."""
        try:
            span = trace.get_current_span()
            if span.is_recording():
                self._span = span
                span.set_attributes(spans.of_request(self._caller.request))
        except Exception as error:
            FAILURES.note("trace", error)

    def _say(self, message: str) -> None:
        self._said = True
        if not self._parts.settings.log_requests:
            return
        try:
            self._write(message)
        except Exception as error:
            FAILURES.note("log", error)

    def _write(self, message: str) -> None:
        outer, client = self._outer, self._outer.get("client")
        about: dict[str, Any] = {"operation": self._operation, "status": self._status}
        about["duration_ms"] = round((self._seconds or 0.0) * 1000, 1)
        about["path"] = spans.path(outer)
        if client:
            about["client"] = client[0]
        if not self._parts.settings.logs:
            # The service's own configuration may know nothing of the request.
            about |= {name: value for name, value in self._caller.request._asdict().items() if value}
        if self._error is None and self._status < BROKEN:
            log.info(message, **about)
            return
        log.error(message, **about, exc_info=self._error)
        if self._error is not None and self._parts.owns_exceptions:
            server_logs.written(self._error)

    def _end(self, span: Span) -> None:
        if span.is_recording():
            if self._error is not None:
                span.record_exception(self._error)
            spans.describe(span, self._operation, self._status, spans.of_request(self._caller.request), self._error)
        span.end(self._ended)


def _is_disconnect(error: BaseException) -> bool:
    """Whether an exception comes from the client or from the server's end, not from a failure of the application."""
    if isinstance(error, BaseExceptionGroup):
        return all(_is_disconnect(one) for one in error.exceptions)
    return isinstance(error, (ClientDisconnect, WebSocketDisconnect, asyncio.CancelledError, _cancelled()))


def _cancelled() -> type[BaseException]:
    """What cancels a task of the running event loop: asyncio and Trio have one each."""
    try:
        return anyio.get_cancelled_exc_class()
    except Exception:
        return asyncio.CancelledError
