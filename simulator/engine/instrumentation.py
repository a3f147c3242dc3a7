"""Instruments the API with the package that every service uses, behind a gateway that starts each trace.

In traces the gateway is a separate service. It runs in the same process, but behaves like a real one: it reads the
caller's trace context, and passes its own context to the API in the request's headers.
"""

import time
from collections.abc import Callable

from fastapi import FastAPI
from observability_fastapi import instrument
from observability_fastapi.endpoints import UNMATCHED
from observability_fastapi.spans import describe
from observability_fastapi.traces import PARENT
from opentelemetry.trace import SpanKind, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from simulator.engine.request_metrics import RequestMetrics
from simulator.engine.tracing import Tracing

SERVICE = "api"
GATEWAY = "api-gateway"
PROJECTS = ("atlas", "borealis", "cobalt", "probe")
"""Values of the header X-Project-Id. Only requests from outside use `probe`, so the API's own load never replaces the
exemplar in its series."""
OWN = ("/metrics", "/healthz", "/faults")
"""Paths of the pod itself, not of the API; they are not instrumented."""
_TRACE_CONTEXT = TraceContextTextMapPropagator()


class Gateway:
    """ASGI application that wraps another one."""

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["path"].startswith(OWN):
            await self._app(scope, receive, send)
            return
        status = 500

        async def watched(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        parent = _TRACE_CONTEXT.extract(dict(Headers(scope=scope)))
        with self._tracer.start_as_current_span(scope["method"], parent, SpanKind.SERVER) as span:
            carrier: dict[str, str] = {}
            _TRACE_CONTEXT.inject(carrier)
            others = [pair for pair in scope["headers"] if pair[0] != PARENT]
            passed = {**scope, "headers": [*others, (PARENT, carrier["traceparent"].encode("ascii"))]}
            try:
                await self._app(passed, receive, watched)
            finally:
                route = getattr(passed.get("route"), "path", UNMATCHED)
                describe(span, f"{scope['method']} {route}", status, {})


def instrument_api(
    app: FastAPI, tracing: Tracing, metrics: RequestMetrics, clock: Callable[[], float] = time.perf_counter
) -> None:
    """Instrument the API; its metrics and log lines appear together with those of the pod."""
    instrument(
        app,
        SERVICE,
        projects=PROJECTS,
        exclude=OWN,
        registry=metrics.registry,
        metrics_path=None,
        logs=False,
        tracer=tracing.tracer(SERVICE),
        clock=clock,
    )
    build = app.build_middleware_stack
    app.build_middleware_stack = lambda: Gateway(build(), tracing.tracer(GATEWAY))
