"""What instrumentation costs a FastAPI service: ours, its best known peers, and none.

All variants are in one process and take turns, so that whatever else the machine does hits all of them alike. Requests
are driven through the ASGI interface: no network and no server, nothing but an application and what is around it.
Nothing waits there, so what a request takes is read from the thread's CPU clock, which stands still while the machine
does something else.
"""

import asyncio
import gc
import os
import statistics
import sys
import time
import tracemalloc
import uuid
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from fastapi import FastAPI
from observability_fastapi import instrument
from opentelemetry import trace
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_fastapi_instrumentator import Instrumentator
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette_exporter import PrometheusMiddleware

from instrumentation.bench.load_service import bare

NONE = "none"
OURS = "observability-fastapi"
EVERYTHING = f"{OURS} + spans + log lines"
OPENTELEMETRY = "opentelemetry-instrumentation-fastapi + structlog"
"""The peer of spans and log lines. Its metrics are in no registry, so the memory of its series is not compared."""
PEERS = ("prometheus-fastapi-instrumentator", "starlette-exporter")
ROUTES = 20
"""Routes of the measured application before the one that is asked; services have tens of them."""
LABEL_SETS = 500
"""Routes that are asked once each, to see what a series costs."""
ROUND = 50
"""Requests to one variant before it is the next one's turn."""
_WARM = 200

_HEADERS = [
    (b"host", b"orders:8000"),
    (b"user-agent", b"bench"),
    (b"accept", b"*/*"),
    (b"accept-encoding", b"gzip"),
    (b"connection", b"keep-alive"),
    (b"x-project-id", b"atlas"),
]


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one variant's requests took."""

    name: str
    median: float
    """Seconds."""
    p99: float
    cpu: float
    """Seconds of the whole process per request."""


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What one variant keeps for its series."""

    name: str
    series: int
    """Lines on the page of metrics."""
    used: int
    """Bytes."""

    @property
    def per_thousand(self) -> float:
        """Bytes for 1,000 series."""
        return self.used / self.series * 1000


class _Nowhere(SpanExporter):
    """Takes spans and forgets them: the collector is not part of what is measured."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:  # noqa: ARG002 - forgotten
        return SpanExportResult.SUCCESS


def _ours(app: FastAPI, registry: CollectorRegistry) -> None:
    # With what the peers have, too: sizes (the instrumentator) and requests in flight (the exporter).
    instrument(
        app,
        "bench",
        registry=registry,
        logs=False,
        log_requests=False,
        tracing=False,
        sizes=True,
        in_flight=True,
    )


def _everything(app: FastAPI, registry: CollectorRegistry) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    queue = BatchSpanProcessor(_Nowhere())
    provider.add_span_processor(queue)
    # Spans that wait for their batch belong to no series.
    app.state.settle = queue.force_flush
    instrument(app, "bench", registry=registry, tracer=provider.get_tracer("bench"), sizes=True, in_flight=True)


def _opentelemetry(app: FastAPI, _registry: CollectorRegistry) -> None:
    """Spans by OpenTelemetry's package, metrics by its SDK, and a line per request by structlog."""
    provider, meters = TracerProvider(shutdown_on_exit=False), MeterProvider([InMemoryMetricReader()])
    provider.add_span_processor(BatchSpanProcessor(_Nowhere()))
    log = structlog.wrap_logger(
        structlog.WriteLogger(sys.stdout),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.JSONRenderer(),
        ],
    )

    async def line(request: Request, call_next: RequestResponseEndpoint) -> Response:
        structlog.contextvars.bind_contextvars(request_id=str(uuid.uuid4()))
        began = time.perf_counter()
        response = await call_next(request)
        context = trace.get_current_span().get_span_context()
        log.info(
            "request",
            path=request.url.path,
            status=response.status_code,
            duration_ms=(time.perf_counter() - began) * 1000,
            trace_id=trace.format_trace_id(context.trace_id),
        )
        return response

    app.add_middleware(BaseHTTPMiddleware, dispatch=line)
    FastAPIInstrumentor.instrument_app(
        app, tracer_provider=provider, meter_provider=meters, exclude_spans=["receive", "send"]
    )


def _instrumentator(app: FastAPI, registry: CollectorRegistry) -> None:
    Instrumentator(registry=registry).instrument(app)


def _exporter(app: FastAPI, _registry: CollectorRegistry) -> None:
    # It knows the client library's own registry only.
    app.add_middleware(PrometheusMiddleware, app_name="bench", group_paths=True)


_VARIANTS: dict[str, Callable[[FastAPI, CollectorRegistry], None]] = {
    NONE: lambda _app, _registry: None,
    OURS: _ours,
    PEERS[0]: _instrumentator,
    PEERS[1]: _exporter,
    EVERYTHING: _everything,
    OPENTELEMETRY: _opentelemetry,
}


def costs(requests: int) -> list[Cost]:
    """What each variant costs, from so many requests to each."""
    with _quiet():
        return asyncio.run(_costs(requests))


def memory(label_sets: int = LABEL_SETS) -> list[Memory]:
    """What each variant keeps in memory for so many routes, without what the application itself keeps."""
    with _quiet():
        own, _ = asyncio.run(_memory(NONE, label_sets))
        compared = [name for name in _VARIANTS if name not in (NONE, OPENTELEMETRY)]
        found = {name: asyncio.run(_memory(name, label_sets)) for name in compared}
    return [Memory(name=name, series=series, used=used - own) for name, (used, series) in found.items()]


@contextmanager
def _quiet() -> Generator[None]:
    """Log lines are written, and read by nobody."""
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        yield


async def _costs(requests: int) -> list[Cost]:
    apps = {name: _application(name, CollectorRegistry(), ROUTES) for name in _VARIANTS}
    took: dict[str, list[float]] = {name: [] for name in apps}
    cpu = dict.fromkeys(apps, 0.0)
    for app in apps.values():
        for _ in range(_WARM):
            await ask(app, "/items/1")
    for _ in range(max(1, requests // ROUND)):
        for name, app in apps.items():
            before = time.process_time()
            for number in range(ROUND):
                began = time.thread_time()
                await ask(app, f"/items/{number}")
                took[name].append(time.thread_time() - began)
            cpu[name] += time.process_time() - before
    return [
        Cost(
            name=name,
            median=statistics.median(seconds),
            p99=statistics.quantiles(seconds, n=100)[98],
            cpu=cpu[name] / len(seconds),
        )
        for name, seconds in took.items()
    ]


async def _memory(name: str, label_sets: int) -> tuple[int, int]:
    """Bytes and series that are there after asking every route once, and were not after asking one."""
    registry = REGISTRY if name == PEERS[1] else CollectorRegistry()
    app = _application(name, registry, label_sets)
    await ask(app, "/items/1")
    before = _series(registry)
    gc.collect()
    tracemalloc.start()
    try:
        for number in range(label_sets):
            await ask(app, f"/route{number}/x")
        getattr(app.state, "settle", int)()
        gc.collect()
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return used, _series(registry) - before


def _series(registry: CollectorRegistry) -> int:
    return sum(len(family.samples) for family in registry.collect())


def _application(name: str, registry: CollectorRegistry, routes: int) -> FastAPI:
    app = bare(routes)
    _VARIANTS[name](app, registry)
    return app


async def ask(app: FastAPI, path: str) -> None:
    """Send one request past any server."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": _HEADERS,
        "client": ("10.0.0.1", 50000),
        "server": ("orders", 8000),
        "state": {},
    }
    await app(scope, _receive, _send)


async def _receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _send(_message: Any) -> None:  # noqa: ANN401 - any message of ASGI
    return
