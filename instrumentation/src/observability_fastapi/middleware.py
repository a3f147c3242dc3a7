"""The middleware: pure ASGI, outside all other middlewares, one pass per request."""

from opentelemetry import context, trace
from opentelemetry.trace import Span, Tracer
from starlette.types import ASGIApp, Receive, Scope, Send

from observability_fastapi import traces
from observability_fastapi.current import CURRENT, Request
from observability_fastapi.exchange import Caller, Exchange, Parts
from observability_fastapi.headers import REQUEST_ID, Projects, RequestIds, Warner

_MEASURED = frozenset({"http", "websocket"})
_MARK = "observability_fastapi"
"""Key in the scope of a counted request, so that an instrumented application inside another one does not count it."""


class Middleware:
    """Gives each request an id and a trace, counts it, and writes its log line."""

    def __init__(self, app: ASGIApp, parts: Parts, exposition: ASGIApp) -> None:
        """`exposition` serves the path of the metrics."""
        settings = parts.settings
        warner = Warner()
        # Public by convention, so that tools can walk through the stack of middlewares.
        self.app = app
        self._parts = parts
        self._exposition = exposition
        self._ids = RequestIds(warner)
        self._header = settings.project_header.lower().encode("ascii")
        self._projects = Projects(
            settings.project_header,
            settings.project_pattern,
            warner=warner,
            only=settings.projects,
            most=settings.max_projects,
        )
        self._excluded = frozenset(settings.exclude)
        self._below = tuple(f"{path.rstrip('/')}/" for path in settings.exclude)
        self._tracer = settings.tracer
        self._has_tracer = settings.tracer is not None or not settings.tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] not in _MEASURED or _MARK in scope:
            await self.app(scope, receive, send)
            return
        path = _path(scope)
        if path == self._parts.settings.metrics_path and scope["type"] == "http":
            await self._exposition(scope, receive, send)
        elif path in self._excluded or path.startswith(self._below):
            await self.app(scope, receive, send)
        else:
            await self._measure(scope, receive, send)

    async def _measure(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[_MARK] = True
        caller = self._caller(scope)
        exchange = Exchange(self._parts, caller, scope, receive, send)
        attached = context.attach(trace.set_span_in_context(caller.span)) if caller.own and caller.span else None
        token = CURRENT.set(caller.request)
        try:
            await self.app(scope, exchange.receive, exchange.send)
        except BaseException as error:
            exchange.failed(error)
            raise
        finally:
            exchange.close()
            CURRENT.reset(token)
            if attached is not None:
                context.detach(attached)

    def _caller(self, scope: Scope) -> Caller:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        label, project = self._projects.take(headers.get(self._header))
        request = Request(self._parts.settings.service, self._ids.take(headers.get(REQUEST_ID)), project)
        if not self._parts.settings.tracing:
            return Caller(request, label, None, own=False)
        joined = _of_fastapi(scope)
        if joined is not None:
            joined.set_attributes({"request_id": request.request_id, "project_id": request.project_id})
            return Caller(request, label, joined, own=False)
        span = traces.start(self._find_tracer(), scope.get("method", "GET"), headers)
        return Caller(request, label, span, own=True)

    def _find_tracer(self) -> Tracer | None:
        if not self._has_tracer:
            # Done at the first request, because by then the service has configured OpenTelemetry, if it does.
            self._tracer = traces.global_tracer()
            self._has_tracer = True
        return self._tracer


def _path(scope: Scope) -> str:
    """The path without the root path, as routes match it."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


def _of_fastapi(scope: Scope) -> Span | None:
    """The request's span if FastAPI itself creates one, as recent releases do; a second span would be redundant."""
    return getattr(scope.get("fastapi.telemetry"), "span", None)
