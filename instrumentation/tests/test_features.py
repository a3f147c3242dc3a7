"""What a service can switch on: each by argument, and by environment where a text can say it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast, get_type_hints

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from observability_fastapi import InstrumentationError, Measured, Options, environment
from observability_fastapi.failures import FAILURES
from prometheus_client import CollectorRegistry, Counter

from instrumentation.tests.service import Service

OBJECTS = {"registry", "labels", "on_request", "tracer", "clock"}


def shop(**options: Any) -> Service:
    app = FastAPI()

    @app.post("/items/{item_id}")
    @app.get("/items/{item_id}")
    async def item(item_id: int, request: Request) -> str:
        await request.body()
        return "ten bytes"

    return Service(app, **options)


def body(text: bytes) -> Any:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": text, "more_body": False}

    return receive


def test_requests_in_flight_are_those_that_are_being_handled() -> None:
    app, seen = FastAPI(), []

    @app.get("/looks")
    async def looks() -> None:
        seen.extend(service.samples("requests_in_flight"))
        raise ValueError

    service = Service(app, in_flight=True)
    service.ask("/looks")
    assert seen == [{"service": "shop", "value": 1}]
    assert service.samples("requests_in_flight") == [{"service": "shop", "value": 0}]
    two = Service(in_flight=True, registry=service.registry, service="two")
    assert {one["service"] for one in two.samples("requests_in_flight")} == {"shop", "two"}


def test_sizes_are_those_of_the_bodies() -> None:
    service = shop(sizes=True)
    service.ask("/items/5", "POST", receive=body(b"x" * 100))
    service.ask("/items/5", "POST", receive=body(b"x" * 50))
    for name, total in (("request_size_bytes", 150), ("response_size_bytes", 2 * len('"ten bytes"'))):
        assert [one["value"] for one in service.samples(f"{name}_sum")] == [total]
        assert [one["value"] for one in service.samples(f"{name}_count")] == [2]
    assert shop().samples("request_size_bytes_sum") == []


@pytest.mark.parametrize(("until", "seconds"), [("last byte", 3.0), ("first byte", 1.0)])
def test_a_stream_is_measured_to_its_last_byte_or_its_first(until: str, seconds: float) -> None:
    now = 0.0

    async def slow() -> AsyncIterator[bytes]:
        nonlocal now
        for _ in range(3):
            now += 1
            yield b"x"

    app = FastAPI()
    app.add_api_route("/slow", lambda: StreamingResponse(slow()))
    service = Service(app, clock=lambda: now, until=until)
    service.ask("/slow")
    assert [one["value"] for one in service.samples("request_duration_seconds_sum")] == [seconds]
    assert until in service.ask("/metrics").text


def test_own_labels_are_limited_and_never_in_the_way() -> None:
    def fails(_: Any) -> str:
        raise KeyError("tenant")

    tenant = lambda scope: scope["path_params"]["item_id"]  # noqa: E731 - as a service writes it
    service = shop(labels={"tenant": lambda scope: str(tenant(scope)), "broken": fails}, max_label_values=2)
    for number in (1, 2, 3, 4):
        assert service.ask(f"/items/{number}").status == 200
    found = {one["tenant"]: one["value"] for one in service.samples("request_count")}
    assert found == {"1": 1, "2": 1, "other": 2}
    assert {one["broken"] for one in service.samples("request_duration_seconds_count")} == {"error"}
    assert FAILURES.counts() == {"label": 4}
    wrong = shop(labels={"tenant": lambda _: cast("str", 5)})
    wrong.ask("/items/1")
    assert [one["tenant"] for one in wrong.samples("request_count")] == ["error"]


def test_a_function_of_the_service_sees_every_counted_request_and_is_never_in_the_way() -> None:
    seen: list[Measured] = []

    def keep(one: Measured) -> None:
        seen.append(one)
        if one.status == 404:
            raise KeyError(one.endpoint)

    service = shop(on_request=keep, exclude=["/healthz"])
    answers = [service.ask(path, headers={"X-Project-Id": "atlas"}) for path in ("/items/1", "/nothing", "/healthz")]
    assert [(one.status, one.error) for one in answers] == [(200, None), (404, None), (404, None)]
    assert [one[1:5] for one in seen] == [("/items/{item_id}", "GET", 200, "atlas"), ("unmatched", "GET", 404, "atlas")]
    assert seen[0].scope["path"] == "/items/1"
    assert seen[0].seconds > 0
    assert seen[0].response_headers["Content-Type"] == "application/json"
    assert FAILURES.counts() == {"on_request": 1}
    assert sum(service.counts().values()) == 2


def test_a_prefix_stands_before_every_name() -> None:
    service = shop(prefix="acme", sizes=True, in_flight=True)
    service.ask("/items/1")
    names = {family.name for family in service.registry.collect()}
    assert names - {"observability_errors"} == {f"acme_{name}" for name in (
        "request_count", "request_duration_seconds", "response_status_count", "request_size_bytes",
        "response_size_bytes", "requests_in_flight",
    )}  # fmt: skip


def test_requests_are_left_out_by_path_pattern_and_method() -> None:
    service = shop(exclude=["/"], exclude_patterns=[r"/items/\d\d+", ".*secret.*"], exclude_methods=["OPTIONS"])
    for path, method in (("/", "GET"), ("/items/10", "GET"), ("/a/secret", "GET"), ("/items/1", "OPTIONS")):
        service.ask(path, method)
    assert service.counts() == {}
    answer = service.ask("/items/1")
    assert answer.headers("x-request-id")
    assert service.counts() == {("GET", "/items/{item_id}", "200"): 1}


def test_a_project_cannot_take_the_name_of_those_that_are_none() -> None:
    service = shop()
    for name in ("other", "none", "invalid"):
        service.ask("/items/1", headers={"X-Project-Id": name})
    assert {one["project_id"] for one in service.samples("request_count")} == {"invalid"}


def test_buckets_are_used_as_they_were_checked() -> None:
    service = shop(buckets=(text for text in ("0.1", "1")))
    service.ask("/items/1")
    bounds = [one["le"] for one in service.samples("request_duration_seconds_bucket")]
    assert bounds == ["0.1", "1.0", "+Inf"]
    assert FAILURES.counts() == {}


def test_the_names_of_the_instrumentator_go_on() -> None:
    service = shop(compatible_with="prometheus-fastapi-instrumentator", sizes=True)
    for path in ("/items/1", "/items/2", "/nothing"):
        service.ask(path)
    total = service.samples("http_requests_total")
    assert {(one["handler"], one["method"], one["status"], one["value"]) for one in total} == {
        ("/items/{item_id}", "GET", "2xx", 2),
        ("none", "GET", "4xx", 1),
    }
    assert [one["value"] for one in service.samples("http_request_duration_highr_seconds_count")] == [3]
    durations = service.samples("http_request_duration_seconds_count")
    assert {(one["handler"], one["method"], one["value"]) for one in durations} == {
        ("/items/{item_id}", "GET", 2),
        ("none", "GET", 1),
    }
    assert {one["handler"] for one in service.samples("http_response_size_bytes_sum")} == {"/items/{item_id}", "none"}
    assert len(service.samples("request_count")) == 2


def test_the_names_of_the_exporter_go_on() -> None:
    service = shop(compatible_with="starlette-exporter", sizes=True)
    for path in ("/items/1", "/items/2", "/nothing"):
        service.ask(path)
    wanted = {"method": "GET", "path": "/items/{item_id}", "status_code": "200", "app_name": "shop", "value": 2}
    assert service.samples("starlette_requests_total") == [wanted]
    assert service.samples("starlette_request_duration_seconds_count") == [wanted]
    assert service.samples("starlette_response_body_bytes_total") == [{**wanted, "value": 22}]


def test_other_names_that_are_taken_are_refused() -> None:
    registry = CollectorRegistry()
    Counter("http_requests", "Of the other package.", registry=registry)
    with pytest.raises(InstrumentationError, match="http_requests"):
        shop(registry=registry, compatible_with="prometheus-fastapi-instrumentator")


TEXTS = {
    "project_header": "X-Team",
    "project_pattern": "[a-z]+",
    "projects": "a, b",
    "max_projects": "3",
    "buckets": "0.1, 1",
    "until": "first byte",
    "in_flight": "true",
    "sizes": "1",
    "max_label_values": "3",
    "prefix": "acme",
    "compatible_with": "starlette-exporter",
    "metrics_path": "/m",
    "exclude": "/healthz,/livez",
    "exclude_patterns": "/a.*",
    "exclude_methods": "OPTIONS",
    "push": "off",
    "logs": "no",
    "log_level": "debug",
    "log_requests": "false",
    "tracing": "false",
    "exemplar_percentage": "10",
    "exemplar_slower_than": "2.5",
}


def test_every_setting_but_objects_can_be_given_by_the_environment() -> None:
    assert TEXTS.keys() == get_type_hints(Options).keys() - OBJECTS
    found = environment.options({f"OBSERVABILITY_{name.upper()}": text for name, text in TEXTS.items()})
    assert found.keys() == TEXTS.keys()
    assert (found["projects"], found["buckets"], found["sizes"], found["logs"]) == (("a", "b"), (0.1, 1.0), True, False)
    assert environment.options({"OBSERVABILITY_METRICS_PATH": ""}) == {"metrics_path": None}


def test_an_argument_takes_precedence_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OBSERVABILITY_PREFIX", "theirs")
    monkeypatch.setenv("OBSERVABILITY_EXCLUDE", "/healthz")
    service = shop(prefix="mine")
    service.ask("/healthz")
    service.ask("/items/1")
    assert [one["value"] for one in service.samples("mine_request_count")] == [1]


def test_the_service_s_name_can_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "theirs")
    service = shop(service=None)
    service.ask("/items/1")
    assert [one["service"] for one in service.samples("request_count")] == ["theirs"]


@pytest.mark.parametrize(
    ("name", "text"), [("BUCKETS", "fast"), ("MAX_PROJECTS", "many"), ("LOGS", "perhaps"), ("ENABLED", "perhaps")]
)
def test_a_wrong_variable_is_named_with_what_is_allowed(name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"OBSERVABILITY_{name}", text)
    with pytest.raises(InstrumentationError, match=f"OBSERVABILITY_{name} is '{text}'; allowed: "):
        shop()


def test_the_environment_can_switch_everything_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OBSERVABILITY_ENABLED", "false")
    service = shop()
    assert service.ask("/metrics").status == 404
    assert service.ask("/items/1").headers("x-request-id") == []
    assert list(service.registry.collect()) == []


def test_two_requests_at_once_are_two_in_flight() -> None:
    app = FastAPI()
    gate = asyncio.Event()

    @app.get("/waits")
    async def waits() -> None:
        await gate.wait()

    service = Service(app, in_flight=True)

    async def both() -> float:
        asked = [asyncio.ensure_future(service.request("/waits")) for _ in range(2)]
        for _ in range(20):
            await asyncio.sleep(0)
        (found,) = service.samples("requests_in_flight")
        gate.set()
        await asyncio.gather(*asked)
        return found["value"]

    assert asyncio.run(both()) == 2
