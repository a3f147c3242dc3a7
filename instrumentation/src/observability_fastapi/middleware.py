"""The middleware: pure ASGI, outside all other middlewares, one pass per request."""

import re
from collections.abc import Callable
from contextvars import Token

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, Tracer
from starlette.types import ASGIApp, Receive, Scope, Send

from observability_fastapi import spans, traces
from observability_fastapi.counting.names import Names
from observability_fastapi.current import CURRENT, Request
from observability_fastapi.exchange import Caller, Exchange, Parts
from observability_fastapi.failures import FAILURES
from observability_fastapi.headers import REQUEST_ID, Projects, RequestIds, Warner, new_request_id
from observability_fastapi.settings import NO_PROJECT, Settings

_MEASURED = frozenset({"http", "websocket"})
_MARK = "observability_fastapi"
"""Key in the scope of a counted request: the request's Exchange. An instrumented application inside another one does
not count a request again."""


class Middleware:
    """Gives each request an id and a trace, counts it, and writes its log line."""

    def __init__(self, app: ASGIApp, parts: Parts, names: Names, exposition: ASGIApp) -> None:
        """`names` limits the projects; `exposition` serves the path of the metrics."""
        settings = parts.settings
        warner = Warner()
        # Public by convention, so that tools can walk through the stack of middlewares.
        self.app = app
        self._parts = parts
        self._exposition = exposition
        self._ids = RequestIds(warner)
        self._header = settings.project_header.lower().encode("ascii")
        self._projects = Projects(settings.project_header, settings.project_pattern, warner=warner, names=names)
        self._is_excluded = _exclusion(settings)
        self._tracer = settings.tracer
        self._has_tracer = settings.tracer is not None or not settings.tracing
        self._tracing = settings.tracing and not traces.has_other_middleware(app)
        self._enter: Callable[[int], None] = parts.in_flight or _ignore

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] not in _MEASURED or _MARK in scope:
            await self.app(scope, receive, send)
            return
        path = _path(scope)
        if path == self._parts.settings.metrics_path and scope["type"] == "http":
            await self._exposition(scope, receive, send)
        elif self._is_excluded is not None and self._is_excluded(path, scope):
            await self.app(scope, receive, send)
        else:
            await self._measure(scope, receive, send)

    async def _measure(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            caller, during = self._identify(scope)
            exchange = Exchange(self._parts, caller, scope, receive, send)
        except Exception as error:
            # Not even a fallback helps, such as with a clock that fails: the request goes on without telemetry.
            FAILURES.note("request", error)
            await self.app(scope, receive, send)
            return
        scope[_MARK] = exchange
        attached = context.attach(during) if during is not None else None
        token = CURRENT.set(caller.request)
        self._enter(1)
        try:
            await self.app(scope, exchange.receive, exchange.send)
        except BaseException as error:
            exchange.failed(error)
            raise
        finally:
            exchange.close()
            self._enter(-1)
            _leave(token, attached)

    def _identify(self, scope: Scope) -> tuple[Caller, Context | None]:
        try:
            return self._caller(scope)
        except Exception as error:
            FAILURES.note("request", error)
            request = Request(self._parts.settings.service, new_request_id(), NO_PROJECT)
            return Caller(request, NO_PROJECT, None, own=False), None

    def _caller(self, scope: Scope) -> tuple[Caller, Context | None]:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        label, project = self._projects.take(headers.get(self._header))
        request = Request(self._parts.settings.service, self._ids.take(headers.get(REQUEST_ID)), project)
        if not self._tracing:
            return Caller(request, label, None, own=False), None
        try:
            return self._traced(scope, headers, request, label)
        except Exception as error:
            FAILURES.note("trace", error)
            return Caller(request, label, None, own=False), None

    def _traced(
        self, scope: Scope, headers: dict[bytes, bytes], request: Request, label: str
    ) -> tuple[Caller, Context | None]:
        joined = _of_fastapi(scope) or (traces.joined(headers) if CURRENT.get() is None else None)
        if joined is not None:
            joined.set_attributes(spans.of_request(request))
            ids, own = joined.get_span_context(), False
            started = traces.Started(ids, joined, None)
        else:
            started, own = traces.start(self._find_tracer(), scope, headers), True
            ids = started.ids
        request = request._replace(
            trace_id=trace.format_trace_id(ids.trace_id), span_id=trace.format_span_id(ids.span_id)
        )
        return Caller(request, label, started.span, own=own), started.context

    def _find_tracer(self) -> Tracer | None:
        if not self._has_tracer:
            # Done at the first request, because by then the service has configured OpenTelemetry, if it does.
            self._tracer = traces.global_tracer()
            self._has_tracer = True
        return self._tracer


class Witness:
    """Stands directly around the router of the application, and shows the middleware the scope that the router gets."""

    def __init__(self, app: ASGIApp, parts: Parts) -> None:
        self.app = app
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        exchange = scope.get(_MARK)
        if exchange is not None:
            exchange.routed(scope, self._parts)
        await self.app(scope, receive, send)


def _leave(token: Token[Request | None], attached: Token[Context] | None) -> None:
    try:
        if attached is not None:
            context.detach(attached)
        CURRENT.reset(token)
    except Exception as error:
        # The server closes the request in another context than the one in which it began.
        FAILURES.note("request", error)


def _ignore(_difference: int) -> None:
    return


def _exclusion(settings: Settings) -> Callable[[str, Scope], bool] | None:
    """Whether a request is not measured, by its path and scope; None if all are."""
    paths = frozenset(settings.exclude)
    below = tuple(f"{path.rstrip('/')}/" for path in paths if path != "/")
    patterns = [re.compile(pattern) for pattern in settings.exclude_patterns]
    methods = frozenset(settings.exclude_methods)
    if not (paths or patterns or methods):
        return None

    def is_excluded(path: str, scope: Scope) -> bool:
        return (
            path in paths
            or path.startswith(below)
            or scope.get("method") in methods
            or any(pattern.fullmatch(path) for pattern in patterns)
        )

    return is_excluded


def _path(scope: Scope) -> str:
    """The path without the root path, as routes match it."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


def _of_fastapi(scope: Scope) -> Span | None:
    """The request's span if FastAPI itself creates one, as recent releases do; a second span would be redundant."""
    return getattr(scope.get("fastapi.telemetry"), "span", None)
