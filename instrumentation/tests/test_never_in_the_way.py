"""Whatever fails in the telemetry: the answer is what it would be without, the failure is counted, and told once."""

import io
import logging
import re
import sys
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from fastapi import FastAPI
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from observability_fastapi import exchange, headers, middleware, spans, traces
from observability_fastapi.counting import exposition
from observability_fastapi.counting.labels import OwnLabels
from observability_fastapi.counting.metrics import RequestMetrics
from observability_fastapi.endpoints import Endpoints
from observability_fastapi.failures import FAILURES, PARTS, Failures, Part
from observability_fastapi.logs import JsonHandler
from prometheus_client import CollectorRegistry
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Match
from structlog.testing import capture_logs

from instrumentation.tests.logging_of import recorded
from instrumentation.tests.service import Answer, Service

# Where it is counted, and what fails. One line for every place at which the middleware calls something else.
PLACES: list[tuple[Part, object, str]] = [
    ("request", headers.RequestIds, "take"),
    ("request", headers.Projects, "take"),
    ("request", middleware, "Exchange"),
    ("trace", traces, "start"),
    ("trace", spans, "at_start"),
    ("trace", spans, "describe"),
    ("trace", traces, "joined"),
    ("response", exchange.Exchange, "_start"),
    ("response", exchange, "len"),
    ("endpoint", Endpoints, "of"),
    ("label", OwnLabels, "of"),
    ("count", RequestMetrics, "observe"),
    ("count", exchange, "time_ns"),
    ("log", exchange.Exchange, "_write"),
    ("log", spans, "path"),
]
ERRORS = [OSError, TypeError, UnicodeDecodeError]


def shop() -> FastAPI:
    app = FastAPI()

    @app.get("/items/{item_id}")
    async def item(item_id: int, request: Request) -> str:
        return f"item {item_id}"

    return app


def same(one: Answer, other: Answer) -> None:
    """The same answer, but for the id that telemetry adds."""
    assert one.error is other.error is None
    assert (one.status, one.text) == (other.status, other.text)
    mine = {pair for pair in one.messages[0]["headers"] if pair[0] != b"x-request-id"}
    assert mine == {pair for pair in other.messages[0]["headers"] if pair[0] != b"x-request-id"}


@pytest.mark.parametrize("error", ERRORS, ids=lambda one: one.__name__)
@pytest.mark.parametrize(("where", "owner", "name"), PLACES, ids=[f"{one[0]}-{one[2]}" for one in PLACES])
def test_what_fails_anywhere_is_counted_and_changes_no_answer(
    where: Part, owner: Any, name: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error("utf-8", b"x", 0, 1, "no") if error is UnicodeDecodeError else error("injected")

    tracer, _ = recorded()
    everything = {"log_requests": True, "sizes": True, "in_flight": True, "labels": {"a": lambda _: "b"}}
    service = Service(shop(), tracer=tracer, **everything)
    expected = service.ask("/items/5")
    monkeypatch.setattr(owner, name, fails, raising=False)
    with capture_logs() as lines:
        for _ in range(3):
            same(service.ask("/items/5"), expected)
    if where == "label":
        where = "count"  # the functions themselves are guarded one by one: the tests of labels
    assert FAILURES.counts()[where] >= 3
    told = [line for line in lines if line["event"] == "telemetry failed" and line["where"] == where]
    if where == "log":
        assert capsys.readouterr().err.count("telemetry failed: where=log") == 1
    else:
        assert [type(line["exc_info"]) for line in told] == [error]
    on_page = {one["where"]: one["value"] for one in service.samples("observability_errors_total")}
    assert on_page == {part: FAILURES.counts().get(part, 0) for part in PARTS}


def test_each_part_is_on_the_page_at_0_before_it_fails() -> None:
    """A query sees the first failure, and a service without failures differs from one that does not count them."""
    text = Service(shop()).ask("/metrics").text
    found = re.findall(r'^observability_errors_total\{where="([^"]+)"\} 0\.0$', text, re.MULTILINE)
    assert found == sorted(PARTS)


def test_a_clock_that_fails_takes_no_answer_away() -> None:
    def stopped() -> float:
        raise OSError

    service = Service(shop(), clock=stopped)
    assert service.ask("/items/5").text == '"item 5"'
    assert FAILURES.counts() == {"request": 1}


def test_the_line_about_a_part_comes_once_a_minute_with_the_number_of_the_others() -> None:
    now = 0.0
    failures = Failures(clock=lambda: now)
    with capture_logs() as lines:
        for _ in range(100):
            failures.note("count", ValueError())
        failures.note("trace", ValueError())
        now = 61.0
        failures.note("count", ValueError())
    told = [(line["where"], line["not_reported"]) for line in lines]
    assert told == [("count", 0), ("trace", 0), ("count", 99)]
    assert failures.counts() == {"count": 101, "trace": 1}


def test_a_route_class_that_reads_the_whole_scope_can_be_asked_again() -> None:
    """Versioned routes, as FastAPI's custom route classes allow."""

    class Version2(APIRoute):
        def matches(self, scope: Any) -> Any:
            match, child = super().matches(scope)
            return (match, child) if b"v=2" in scope["query_string"] else (Match.NONE, {})

    app = FastAPI()
    app.router.route_class = Version2
    app.add_api_route("/items/{item_id}", lambda item_id: item_id)
    app.router.route_class = APIRoute
    app.add_route("/plain", PlainTextResponse("plain"))
    service = Service(app)
    assert service.ask("/plain").error is None
    assert service.ask("/nothing").status == 404
    assert service.counts() == {("GET", "/plain", "200"): 1, ("GET", "unmatched", "404"): 1}


def test_a_route_that_fails_when_it_is_asked_again_is_counted_as_unmatched() -> None:
    class Once(APIRoute):
        asked = 0

        def matches(self, scope: Any) -> Any:
            self.asked += 1
            if self.asked > 1:
                raise KeyError("asked again")
            return super().matches(scope)

    app = FastAPI()
    app.router.route_class = Once
    app.add_api_route("/items/{item_id}", lambda item_id: item_id)
    service = Service(app)
    assert service.ask("/items/5").status == 200
    assert service.counts() == {("GET", "unmatched", "200"): 1}
    assert FAILURES.counts() == {"endpoint": 1}


class Full(io.StringIO):
    """A disk that is full, or a pipe that nobody reads."""

    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


def chatty() -> FastAPI:
    app = FastAPI()

    @app.get("/says")
    async def says() -> str:
        structlog.get_logger().info("said")
        logging.getLogger("orm").warning("said")
        return "fine"

    return app


@pytest.mark.parametrize("stream", [Full, lambda: None], ids=["full", "closed"])
def test_an_output_that_cannot_be_written_is_no_error_of_a_request(
    stream: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    service = Service(chatty(), logs=True, log_requests=True)
    output = stream() or io.StringIO()
    if stream is not Full:
        output.close()
    monkeypatch.setattr(sys, "stdout", output)
    answer = service.ask("/says")
    assert (answer.status, answer.text, answer.error) == (200, '"fine"', None)
    assert service.counts() == {("GET", "/says", "200"): 1}
    assert FAILURES.counts() == {"log": 3}
    told = [line for line in capsys.readouterr().err.splitlines() if "telemetry failed" in line]
    assert len(told) == 1


def test_a_collector_that_fails_is_told_of_and_the_page_says_500() -> None:
    class Broken:
        def collect(self) -> Any:
            raise ValueError("the database is gone")

    registry = CollectorRegistry()
    service = Service(registry=registry)
    registry.register(Broken())
    with capture_logs() as lines:
        answer = service.ask("/metrics")
    assert (answer.status, answer.error) == (500, None)
    (line,) = lines
    assert (line["where"], str(line["exc_info"])) == ("metrics page", "the database is gone")


def test_a_page_that_cannot_be_encoded_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exposition, "choose_encoder", None)
    assert Service().ask("/metrics").status == 500
    assert FAILURES.counts() == {"metrics page": 1}


PAIRS = st.lists(st.tuples(st.binary(max_size=20), st.binary(max_size=40)), max_size=4)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    path=st.text(max_size=40),
    method=st.text(max_size=10),
    root=st.text(max_size=10),
    pairs=PAIRS,
    client=st.sampled_from([None, ("10.0.0.1", 1), ("unix", None), ()]),
)
def test_whatever_a_scope_has_the_answer_is_that_of_the_application(
    path: str, method: str, root: str, pairs: list[tuple[bytes, bytes]], client: Any
) -> None:
    tracer, _ = recorded()
    service = Service(shop(), tracer=tracer, log_requests=True)
    plain = Service.plain(shop())
    changes = {"root_path": root, "raw_headers": pairs, "client": client}
    with capture_logs():
        one, other = (each.ask(f"/{path}", method, **changes) for each in (service, plain))
    same(one, other)
    if f"/{path}" != "/metrics":
        assert sum(service.counts().values()) == 1


def test_a_handler_of_the_standard_library_that_fails_stays_silent() -> None:
    handler = JsonHandler("shop", None)  # type: ignore[arg-type]
    handler.emit(logging.makeLogRecord({"msg": "x"}))
    assert FAILURES.counts() == {"log": 1}
