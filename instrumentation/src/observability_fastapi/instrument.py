"""The function that instruments a service."""

from typing import Unpack
from weakref import WeakKeyDictionary

from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.types import ASGIApp

from observability_fastapi import logs, multiprocess, traces
from observability_fastapi.endpoints import Endpoints
from observability_fastapi.exchange import Parts
from observability_fastapi.exposition import Exposition
from observability_fastapi.metrics import RequestMetrics
from observability_fastapi.middleware import Middleware
from observability_fastapi.settings import InstrumentationError, Options, Settings, check

_services: WeakKeyDictionary[Starlette, str] = WeakKeyDictionary()
_metrics: WeakKeyDictionary[CollectorRegistry, RequestMetrics] = WeakKeyDictionary()


def instrument(app: Starlette, service: str, **options: Unpack[Options]) -> None:
    """Give every request of `app` an id, metrics, a log line and a trace, under the name `service`.

    Call it before the application starts; the order relative to middlewares, routes and mounts does not matter. Several
    applications of one process may share a registry. Raises InstrumentationError, which names every invalid setting,
    before anything is changed.
    """
    _refuse(app)
    settings = check(service, **options)
    files = multiprocess.folder()
    sends_to = traces.endpoint() if settings.tracing and settings.tracer is None else None
    metrics = _of_registry(settings, shared=files is not None)
    if sends_to is not None:
        traces.configure(service, sends_to)
    if settings.logs:
        logs.configure(service)
        _take_server_lines(settings)
    registry = settings.registry if files is None else multiprocess.registry(files, metrics)
    _wrap(app, Parts(settings, metrics, Endpoints(app)), Exposition(registry))
    _services[app] = service


def _refuse(app: object) -> None:
    if not isinstance(app, Starlette):
        raise InstrumentationError(f"app is {app!r}; allowed: an application of FastAPI or Starlette")
    if app in _services:
        raise InstrumentationError(f"the application is instrumented already, as {_services[app]!r}; allowed: once")
    if getattr(app, "_is_instrumented_by_opentelemetry", False):
        raise InstrumentationError(
            "the application is already instrumented by opentelemetry-instrumentation-fastapi, so each request would "
            "have two spans; remove that, because this package creates spans"
        )
    if app.middleware_stack is not None:
        raise InstrumentationError("the application has started; instrument it where it is created")


def _of_registry(settings: Settings, *, shared: bool) -> RequestMetrics:
    known = _metrics.get(settings.registry)
    if known is None:
        # With several processes, the scrape reads their files, not the registry.
        made = multiprocess.metrics(settings.buckets) if shared else RequestMetrics(settings.registry, settings.buckets)
        _metrics[settings.registry] = made
        return made
    if known.bounds[:-1] != tuple(settings.buckets):
        raise InstrumentationError(
            f"buckets is {settings.buckets!r}; allowed: {known.bounds[:-1]!r}, the buckets of this registry's existing "
            "metric, or another registry"
        )
    return known


def _take_server_lines(settings: Settings) -> None:
    if settings.logs:
        logs.take_server()
        if settings.log_requests:
            logs.mute_server()


def _wrap(app: Starlette, parts: Parts, exposition: ASGIApp) -> None:
    """Put the middleware outside all others, including those that are added later.

    `add_middleware` would put it inside the handler of unhandled exceptions, whose responses would then have no id.
    """
    build = app.build_middleware_stack

    def build_measured() -> ASGIApp:
        # A server that started after the application was created has configured its own logging since, so repeat this.
        _take_server_lines(parts.settings)
        return Middleware(build(), parts, exposition)

    app.build_middleware_stack = build_measured
