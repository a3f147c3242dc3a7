"""The function that instruments a service."""

import math
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple, Unpack
from weakref import WeakKeyDictionary

from prometheus_client import CollectorRegistry
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.types import ASGIApp

from observability_fastapi import checks, environment, logs, server_logs, traces
from observability_fastapi.counting import compatibility, multiprocess
from observability_fastapi.counting.exposition import Exposition
from observability_fastapi.counting.in_flight import NAME as IN_FLIGHT
from observability_fastapi.counting.in_flight import InFlight
from observability_fastapi.counting.labels import OwnLabels
from observability_fastapi.counting.metrics import LABELS, Form, RequestMetrics, families
from observability_fastapi.counting.names import Names
from observability_fastapi.endpoints import Endpoints
from observability_fastapi.exchange import Parts
from observability_fastapi.exemplars import Sampling
from observability_fastapi.failures import FAILURES
from observability_fastapi.middleware import Middleware, Witness
from observability_fastapi.settings import InstrumentationError, Options, Settings


class _Service(NamedTuple):
    """What an application has been instrumented with."""

    name: str
    exposition: Exposition


class _Registry(NamedTuple):
    """What all applications of one registry share."""

    metrics: RequestMetrics
    in_flight: InFlight | None


_services: WeakKeyDictionary[Starlette, _Service] = WeakKeyDictionary()
_registries: WeakKeyDictionary[CollectorRegistry, _Registry] = WeakKeyDictionary()


def instrument(app: Starlette, service: str | None = None, **options: Unpack[Options]) -> None:
    """Give every request of `app` an id, metrics, a log line and a trace, under the name `service`.

    Call it before the application starts; the order relative to middlewares, routes and mounts does not matter. Several
    applications of one process may share a registry. Without `service`, OBSERVABILITY_SERVICE or OTEL_SERVICE_NAME
    gives the name. With OBSERVABILITY_ENABLED=false nothing is changed. Raises InstrumentationError, which names every
    invalid setting, before anything is changed.
    """
    _refuse(app)
    name = service if service is not None else environment.service()
    settings = checks.check(name, {**environment.options(), **options})
    if not environment.is_enabled():
        return
    files = multiprocess.folder()
    if settings.push and files is not None:
        raise InstrumentationError(
            f"push is on, and {multiprocess.FOLDER} is set; allowed: one of both. With push, each process sends its own"
        )
    spans_to = traces.receiver("traces") if settings.tracing and settings.tracer is None else None
    metrics_to = _push_to(settings)
    shared = _of_registry(settings, files)
    if spans_to is not None and not traces.is_configured():
        # Imported here, so that services without a collector avoid the cost.
        from observability_fastapi import sending  # noqa: PLC0415

        sending.send(settings.service, spans_to)
    if settings.logs:
        logs.configure(settings.service, level=checks.level(settings))
    _take_server_lines(settings)
    registry = settings.registry if files is None else multiprocess.registry(files, shared.metrics)
    parts = Parts(
        settings,
        shared.metrics,
        Endpoints(app),
        OwnLabels(settings.labels, settings.max_label_values, lambda one: _names_file(files, f"label-{one}"))
        if settings.labels
        else None,
        shared.in_flight.of(settings.service) if shared.in_flight is not None else None,
        settings.logs and settings.log_requests and (checks.level(settings) or 0) <= logs.ERROR,
        Sampling(settings.exemplar_percentage, settings.exemplar_slower_than),
    )
    names = Names(settings.max_projects, only=settings.projects, file=_names_file(files, "projects"))
    exposition = Exposition(registry)
    _wrap(app, parts, names, exposition, metrics_to)
    _services[app] = _Service(settings.service, exposition)


def exposition(app: Starlette) -> Exposition:
    """The metrics of an instrumented application as an ASGI application, for a route or a port of the service's own.

    Raises InstrumentationError if the application is not instrumented.
    """
    if app not in _services:
        raise InstrumentationError("the application is not instrumented: call instrument(app, ...) before")
    return _services[app].exposition


def _refuse(app: object) -> None:
    if not isinstance(app, Starlette):
        raise InstrumentationError(f"app is {app!r}; allowed: an application of FastAPI or Starlette")
    if app in _services:
        raise InstrumentationError(
            f"the application is instrumented already, as {_services[app].name!r}; allowed: once"
        )
    if app.middleware_stack is not None:
        raise InstrumentationError("the application has started; instrument it where it is created")


def _push_to(settings: Settings) -> traces.Receiver | None:
    if not settings.push:
        return None
    found = traces.receiver("metrics")
    if found is None:
        raise InstrumentationError(f"push is on, and {traces.ENDPOINT} names no receiver; allowed: http://host:port")
    return found


def _names_file(files: Path | None, name: str) -> Path | None:
    return None if files is None else files / f"{name}.names"


def _of_registry(settings: Settings, files: Path | None) -> _Registry:
    form = Form(
        bounds=(*settings.buckets, math.inf),
        prefix=settings.prefix,
        labels=(*LABELS, *settings.labels),
        sizes=settings.sizes,
        until=settings.until,
        compatible_with=settings.compatible_with,
    )
    known = _registries.get(settings.registry)
    if known is None:
        made = _register(settings.registry, form, files)
    else:
        _compare(known.metrics.form, form)
        made = known
    if settings.in_flight and made.in_flight is None:
        in_flight = InFlight(form.name(IN_FLIGHT), shares=files is not None)
        _take(settings.registry, in_flight)
        made = made._replace(in_flight=in_flight)
    _registries[settings.registry] = made
    return made


def _register(registry: CollectorRegistry, form: Form, files: Path | None) -> _Registry:
    expose = compatibility.with_other_names if form.compatible_with else families
    if files is None:
        metrics = RequestMetrics(registry, form, expose=expose)
    else:
        metrics = multiprocess.metrics(files, form, expose, registry)
    try:
        _take(registry, FAILURES)
    except InstrumentationError:
        registry.unregister(metrics)
        raise
    return _Registry(metrics, None)


def _take(registry: CollectorRegistry, collector: Collector) -> None:
    try:
        registry.register(collector)
    except ValueError as error:
        raise InstrumentationError(f"the registry has other metrics of these names: {error}") from error


def _compare(known: Form, wanted: Form) -> None:
    """Raises InstrumentationError if two applications of one registry differ in what belongs to the registry."""
    for one in fields(Form):
        old, new = getattr(known, one.name), getattr(wanted, one.name)
        if old != new:
            # Without +Inf, as the setting is written.
            name, old, new = ("buckets", old[:-1], new[:-1]) if one.name == "bounds" else (one.name, old, new)
            raise InstrumentationError(
                f"{name} is {new!r}; allowed: {old!r}, as in another application of this registry, or another registry"
            )


def _take_server_lines(settings: Settings) -> None:
    if settings.logs:
        server_logs.take()
    if settings.log_requests:
        server_logs.mute(access=settings.logs)


def _wrap(
    app: Starlette, parts: Parts, names: Names, exposition: Exposition, metrics_to: traces.Receiver | None
) -> None:
    """Put the middleware outside all others, including those that are added later.

    `add_middleware` would put it inside the handler of unhandled exceptions, whose responses would then have no id.
    """
    build = app.build_middleware_stack

    def build_measured() -> ASGIApp:
        # A server that started after the application was created has configured its own logging since, so repeat this.
        _take_server_lines(parts.settings)
        if not isinstance(app.router.middleware_stack, Witness):
            app.router.middleware_stack = Witness(app.router.middleware_stack, parts)
        if metrics_to is not None:
            from observability_fastapi import sending  # noqa: PLC0415 - as above
            from observability_fastapi.counting import push  # noqa: PLC0415

            push.Push(parts.settings.registry, parts.settings.service, sending.exporter("metrics", metrics_to)).start()
        return Middleware(build(), parts, names, exposition)

    app.build_middleware_stack = build_measured
