"""What every request of the API gets: a request id, a trace, metrics with an exemplar, and one log line."""

import re
import time
import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass

import structlog
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from simulator import logs
from simulator.request_metrics import RequestMetrics
from simulator.tracing import Tracing

log = structlog.get_logger(service="api")

SERVICE = "api"
GATEWAY = "api-gateway"
PROJECTS = ("atlas", "borealis", "cobalt", "probe")
"""Projects of the header X-Project-Id. `probe` is for requests from outside: the API's own load leaves its series, and
with it the exemplar of the last request, alone."""
OTHER_PROJECT = "other"
NO_PROJECT = "none"
UNMATCHED = "unmatched"
"""Endpoint of a request that no route takes: the raw path would make a series per typing mistake."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
# Of the pod itself, not of the API: they are no requests that anybody asks about.
_OWN = re.compile(r"/(metrics|healthz|faults)(/.*)?")
_TRACE_CONTEXT = TraceContextTextMapPropagator()


def request_id(given: str | None) -> str:
    """The caller's id when it is a short plain word, else a new UUID4."""
    return given if given and _REQUEST_ID.fullmatch(given) else str(uuid.uuid4())


def project(given: str | None) -> str:
    """The caller's project as a label: known ones by name, so that nobody can make series without end."""
    if not given:
        return NO_PROJECT
    return given if given in PROJECTS else OTHER_PROJECT


@dataclass
class _Answer:
    status: int = 500
    """Until a response has started: a handler that raises gives a 500."""


class Instrumentation:
    """ASGI middleware; outermost, so that it sees every answer."""

    def __init__(self, app: ASGIApp, *, tracing: Tracing, metrics: RequestMetrics) -> None:
        self._app = app
        self._metrics = metrics
        self._gateway = tracing.tracer(GATEWAY)
        self._api = tracing.tracer(SERVICE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or _OWN.fullmatch(scope["path"]):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        about = {
            "request_id": request_id(headers.get("x-request-id")),
            "project_id": project(headers.get("x-project-id")),
        }
        answer = _Answer()

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = about["request_id"]
            await send(message)

        began = time.perf_counter()
        with ExitStack() as stack:
            parent = _TRACE_CONTEXT.extract(dict(headers))
            spans = [
                stack.enter_context(tracer.start_as_current_span(scope["method"], parent_context, SpanKind.SERVER))
                for tracer, parent_context in ((self._gateway, parent), (self._api, None))
            ]
            stack.enter_context(structlog.contextvars.bound_contextvars(**about))
            try:
                await self._app(scope, receive, send_with_id)
            finally:
                self._finish(scope, spans, about, answer.status, time.perf_counter() - began)

    def _finish(self, scope: Scope, spans: list[Span], about: Mapping[str, str], status: int, seconds: float) -> None:
        endpoint = getattr(scope.get("route"), "path", UNMATCHED)
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        operation = f"{method} {endpoint}"
        for span in spans:
            _describe(span, operation, status, about)
        context = spans[-1].get_span_context()
        self._metrics.observe(
            (SERVICE, endpoint, method, str(status), about["project_id"]),
            seconds=seconds,
            exemplar={"trace_id": logs.trace_id(context), "span_id": logs.span_id(context)},
        )
        write = log.error if status >= 500 else log.info
        write("request", operation=operation, status=status, duration_ms=round(seconds * 1000, 1))


def _describe(span: Span, operation: str, status: int, about: Mapping[str, str]) -> None:
    span.update_name(operation)
    span.set_attributes({"operation": operation, "http.response.status_code": status, **about})
    if status >= 500:
        span.set_status(StatusCode.ERROR, f"answered {status}")
