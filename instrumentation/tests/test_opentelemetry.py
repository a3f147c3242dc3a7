"""Beside OpenTelemetry's own instrumentation, by its environment, and with nothing decided that nobody has decided."""

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from fastapi import FastAPI
from observability_fastapi import InstrumentationError, current, traces
from observability_fastapi.sending import exporter
from observability_fastapi.traces import Receiver
from opentelemetry import baggage, propagate, trace
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from instrumentation.tests.logging_of import lines, recorded, written
from instrumentation.tests.service import Service

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
ADDRESS = "http://agent:4318"


async def called(_: Any) -> JSONResponse:
    """What a service that this one calls would get."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    request = current()
    return JSONResponse({**carrier, "trace_id": request.trace_id if request else None})


def shop(**options: Any) -> Service:
    return Service(Starlette(routes=[Route("/items/{item_id}", called)]), **options)


def provider() -> tuple[TracerProvider, InMemorySpanExporter]:
    made, kept = TracerProvider(shutdown_on_exit=False), InMemorySpanExporter()
    made.add_span_processor(SimpleSpanProcessor(kept))
    return made, kept


def test_a_trace_that_was_made_for_the_log_lines_is_not_passed_on() -> None:
    with written() as stream:
        sent = shop(log_requests=True).ask("/items/5").text
    assert "traceparent" not in sent
    (line,) = lines(stream)
    assert len(line["trace_id"]) == 32
    assert line["trace_id"] in sent, "current() has it"


@pytest.mark.parametrize("flags", ["00", "01"])
def test_a_trace_of_the_caller_is_passed_on_as_the_caller_decided(flags: str) -> None:
    sent = shop().ask("/items/5", headers={"traceparent": f"{PARENT[:-2]}{flags}"}).text
    assert f"{TRACE}-b7ad6b7169203331-{flags}" in sent


def test_a_recorded_trace_is_passed_on() -> None:
    tracer, kept = recorded()
    sent = shop(tracer=tracer).ask("/items/5").text
    (span,) = kept.get_finished_spans()
    assert f"{span.get_span_context().span_id:016x}-0" in sent


def test_baggage_and_the_propagators_of_the_environment_are_read() -> None:
    app, found = FastAPI(), []

    @app.get("/items")
    async def items() -> None:
        found.append(baggage.get_baggage("tenant"))

    tracer, _ = recorded()
    for options in ({}, {"tracer": tracer}):
        Service(app, **options) if not found else None
        service = Service.plain(app)
        service.ask("/items", headers={"baggage": "tenant=acme"})
    assert found == ["acme", "acme"]


@pytest.fixture
def instrumented() -> Iterator[tuple[FastAPI, InMemorySpanExporter]]:
    """An application that OpenTelemetry's package for FastAPI has instrumented."""
    app = FastAPI()
    app.add_route("/items/{item_id}", called)
    made, kept = provider()
    FastAPIInstrumentor.instrument_app(app, tracer_provider=made, exclude_spans=["receive", "send"])
    yield app, kept
    FastAPIInstrumentor.uninstrument_app(app)


def one_span(kept: InMemorySpanExporter) -> Any:
    (span,) = [one for one in kept.get_finished_spans() if one.kind is trace.SpanKind.SERVER]
    return span


@pytest.mark.parametrize("tracing", [True, False])
def test_the_span_of_opentelemetry_s_instrumentation_is_the_request_s(instrumented: Any, tracing: bool) -> None:
    app, kept = instrumented
    tracer, mine = recorded()
    with written() as stream:
        service = Service(app, tracer=tracer, tracing=tracing, log_requests=True)
        service.ask("/items/5", headers={"traceparent": PARENT, "X-Request-Id": "r-1"})
    span = one_span(kept)
    assert mine.get_finished_spans() == ()
    (line,) = lines(stream)
    assert line["trace_id"] == TRACE == f"{span.context.trace_id:032x}"
    assert span.attributes.get("request_id") == ("r-1" if tracing else None)
    page = service.ask("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"}).text
    assert (TRACE in page) is tracing


def test_the_same_where_it_was_added_as_a_middleware() -> None:
    made, kept = provider()
    tracer, mine = recorded()
    service = shop(tracer=tracer)
    service.app.add_middleware(OpenTelemetryMiddleware, tracer_provider=made, exclude_spans=["receive", "send"])
    service.ask("/items/5", headers={"X-Request-Id": "r-1"})
    assert mine.get_finished_spans() == ()
    assert one_span(kept).attributes["request_id"] == "r-1"


def test_the_same_where_it_stands_around_the_application() -> None:
    made, kept = provider()
    tracer, mine = recorded()
    service = shop(tracer=tracer)
    service.app = OpenTelemetryMiddleware(service.app, tracer_provider=made, exclude_spans=["receive", "send"])
    service.ask("/items/5", headers={"X-Request-Id": "r-1"})
    assert mine.get_finished_spans() == ()
    assert one_span(kept).attributes["request_id"] == "r-1"


def test_a_caller_in_the_same_process_has_its_own_span() -> None:
    tracer, kept = recorded()
    service = shop(tracer=tracer)
    with tracer.start_as_current_span("gateway", kind=trace.SpanKind.SERVER):
        carrier: dict[str, str] = {}
        propagate.inject(carrier)
        service.ask("/items/5", headers={**carrier})
    assert [one.name for one in kept.get_finished_spans()] == ["GET /items/{item_id}", "gateway"]


def test_a_span_has_the_names_that_the_conventions_give() -> None:
    tracer, kept = recorded()
    service = shop(tracer=tracer)
    agent = {"User-Agent": "probe/1.0"}
    for path, method in (("/items/5", "GET"), ("/nothing", "BREW")):
        service.ask(path, method, agent)
    found, unknown = kept.get_finished_spans()
    assert found.attributes is not None
    wanted = {
        "http.request.method": "GET",
        "http.route": "/items/{item_id}",
        "http.response.status_code": 200,
        "url.path": "/items/5",
        "url.scheme": "http",
        "server.address": "shop",
        "client.address": "10.0.0.1",
        "user_agent.original": "probe/1.0",
        "network.protocol.version": "1.1",
    }
    assert wanted.items() <= dict(found.attributes).items()
    assert unknown.attributes is not None
    assert unknown.name == "HTTP"
    assert "http.route" not in unknown.attributes
    assert unknown.attributes["http.request.method"] == "_OTHER"
    assert unknown.attributes["http.request.method_original"] == "BREW"


def test_a_span_of_a_failure_names_its_type() -> None:
    async def broken(_: Any) -> None:
        raise KeyError("what went wrong")

    tracer, kept = recorded()
    Service(Starlette(routes=[Route("/broken", broken)]), tracer=tracer).ask("/broken")
    (span,) = kept.get_finished_spans()
    assert (span.attributes or {})["error.type"] == "KeyError"


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({}, None),
        ({"ENDPOINT": ADDRESS}, Receiver(f"{ADDRESS}/v1/traces", "http/protobuf")),
        ({"ENDPOINT": ADDRESS, "TRACES_ENDPOINT": f"{ADDRESS}/own"}, Receiver(f"{ADDRESS}/own", "http/protobuf")),
        ({"ENDPOINT": ADDRESS, "PROTOCOL": "grpc"}, Receiver(ADDRESS, "grpc")),
        ({"ENDPOINT": ADDRESS, "TRACES_PROTOCOL": "grpc"}, Receiver(ADDRESS, "grpc")),
        ({"ENDPOINT": ADDRESS, "OTEL_TRACES_EXPORTER": "none"}, None),
        ({"ENDPOINT": ADDRESS, "OTEL_SDK_DISABLED": "true"}, None),
    ],
)
def test_the_receiver_is_that_of_opentelemetry_s_variables(environment: dict[str, str], found: Any) -> None:
    names = {
        name if name.startswith("OTEL") else f"OTEL_EXPORTER_OTLP_{name}": one for name, one in environment.items()
    }
    assert traces.receiver("traces", names) == found


def test_a_protocol_that_does_not_exist_is_refused() -> None:
    names = {"OTEL_EXPORTER_OTLP_ENDPOINT": ADDRESS, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}
    with pytest.raises(InstrumentationError, match="is 'http/json'; allowed: http/protobuf, grpc"):
        traces.receiver("traces", names)


@pytest.mark.parametrize(("protocol", "package"), [("http/protobuf", r"\[otlp\]"), ("grpc", "proto-grpc")])
def test_an_exporter_that_is_not_installed_is_named(
    protocol: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = "http" if protocol.startswith("http") else "grpc"
    missing: Any = None
    monkeypatch.setitem(sys.modules, f"opentelemetry.exporter.otlp.proto.{kind}.trace_exporter", missing)
    with pytest.raises(InstrumentationError, match=f"not installed: install .*{package}"):
        exporter("traces", Receiver(ADDRESS, protocol))


def test_the_exporters_of_both_protocols_and_signals_exist() -> None:
    for protocol in traces.PROTOCOLS:
        for signal in ("traces", "metrics"):
            made = exporter(signal, Receiver("http://127.0.0.1:1", protocol))
            assert isinstance(sys.modules[type(made).__module__], ModuleType)
            made.shutdown()
