"""What is counted, once each, with which endpoint and status: the table of cases in the package's README."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi import BackgroundTasks, FastAPI, Request, Response, WebSocket
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import StreamingResponse
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.testing import capture_logs

from instrumentation.tests.routes import BrokenError, application, nobody, told
from instrumentation.tests.service import Answer, Service, messages

DISCONNECT = {"type": "http.disconnect"}


class CopiesScope:
    """A middleware that hands a copy on, so that what the routes write into it does not come back."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(dict(scope), receive, send)


@dataclass(frozen=True)
class Case:
    """A request, and how it must be counted."""

    name: str
    path: str
    counted: tuple[str, str]
    """Endpoint and status."""
    method: str = "GET"
    changes: Callable[[], dict[str, Any]] = dict

    @property
    def id(self) -> str:
        return self.name


def _client(*given: Message) -> Callable[[], dict[str, Any]]:
    return lambda: {"receive": messages(given)}


async def leaves() -> Message:
    await asyncio.sleep(0.01)
    return DISCONNECT


OLDER = {"receive": leaves, "spec_version": "2.3"}
CASES = [
    Case("route", "/items/5", ("/items/{item_id}", "200")),
    Case("handler in a thread", "/sync/5", ("/sync/{item_id}", "200")),
    Case("wrong parameter", "/items/x", ("/items/{item_id}", "422")),
    Case("HEAD", "/items/5", ("/items/{item_id}", "200"), "HEAD"),
    Case("HEAD that the route has not", "/sync/5", ("/sync/{item_id}", "405"), "HEAD"),
    Case("405", "/items/5", ("/items/{item_id}", "405"), "DELETE"),
    Case("404", "/nothing/5", ("unmatched", "404")),
    Case("redirect of a slash", "/items/5/", ("unmatched", "307")),
    Case("HTTPException", "/refused", ("/refused", "503")),
    Case("exception", "/broken", ("/broken", "500")),
    Case("stream", "/stream", ("/stream", "200")),
    Case("stream that breaks off", "/breaks-off", ("/breaks-off", "500")),
    Case("background task that fails", "/background", ("/background", "200")),
    Case("exception that a handler answers", "/known/5", ("/known/{number}", "500")),
    Case("404 by a dependency", "/guarded/5", ("/guarded/{number}", "404")),
    Case("404 by the handler", "/regions/north", ("/regions/{region}", "404")),
    Case("path in a parameter", "/files/a/b/c", ("/files/{path}", "200")),
    Case("status that HTTP does not have", "/teapot", ("/teapot", "other")),
    Case("included router", "/spring/leaves/a", ("/spring/leaves/{leaf_id}", "200")),
    Case("the same router again", "/autumn/leaves/a", ("/autumn/leaves/{leaf_id}", "200")),
    Case("mounted application", "/inner/leaves/a", ("/inner/leaves/{leaf_id}", "200")),
    Case("exception in a mounted application", "/inner/broken", ("/inner/broken", "500")),
    Case("404 in a mounted application", "/inner/nothing", ("unmatched", "404")),
    Case("mount with a parameter", "/tenants/acme/leaves/a", ("/tenants/{tenant}/leaves/{leaf_id}", "200")),
    Case("mounts in mounts", "/plain/deep/7", ("/plain/deep/{number}", "200")),
    Case("mount without routes", "/opaque/what/ever", ("/opaque/{path}", "200")),
    Case("two routes, one handler", "/same/b", ("/same/b", "200")),
    Case("below a root path", "/items/5", ("/items/{item_id}", "200"), changes=lambda: {"root_path": "/shop"}),
    Case("root path in the path", "/v1/items/5", ("/items/{item_id}", "200"), changes=lambda: {"root_path": "/v1"}),
    Case("client gone while uploading", "/upload", ("/upload", "499"), "POST", _client(DISCONNECT)),
    Case("client gone while it waits", "/waits", ("/waits", "499"), changes=_client(DISCONNECT)),
    Case("client gone within a stream, ASGI 2.3", "/endless", ("/endless", "200"), changes=lambda: dict(OLDER)),
    Case("cancelled", "/cancelled", ("/cancelled", "499")),
]


@pytest.mark.parametrize("case", CASES, ids=lambda one: one.name)
def test_a_request_is_counted_once_and_right(case: Case) -> None:
    service = Service(application())
    answer = service.ask(case.path, case.method, **case.changes())

    assert service.counts() == {(case.method, *case.counted): 1.0}
    assert [one["value"] for one in service.samples("response_status_count")] == [1.0]
    assert [one["value"] for one in service.samples("request_duration_seconds_count")] == [1.0]
    started = [one for one in answer.messages if one["type"] == "http.response.start"]
    assert len(answer.headers("x-request-id")) == len(started)


@pytest.mark.parametrize("case", CASES, ids=lambda one: one.name)
def test_what_is_remembered_of_a_route_is_right(case: Case) -> None:
    service = Service(application())
    for one in (*CASES, case):
        service.ask(one.path, one.method, **one.changes())
    same = [one for one in CASES if (one.method, one.counted) == (case.method, case.counted)]
    assert service.counts()[(case.method, *case.counted)] == len(same) + 1


def test_middlewares_that_copy_the_scope_or_answer_themselves_hide_no_endpoint() -> None:
    async def closed(request: Request, call_next: Any) -> Response:
        return PlainTextResponse("no", 401) if "closed" in request.url.path else await call_next(request)

    app = FastAPI()
    service = Service(app)
    app.add_api_route("/items/{item_id}", told, methods=["POST"])
    app.add_api_route("/closed/{door}", told)
    app.add_api_route("/lost/{item}", nobody)
    app.add_middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["POST"])
    app.add_middleware(BaseHTTPMiddleware, dispatch=closed)
    app.add_middleware(CopiesScope)
    preflight = {"Origin": "http://a", "Access-Control-Request-Method": "POST"}
    service.ask("/items/1", "POST")
    service.ask("/items/1", "OPTIONS", preflight)
    service.ask("/closed/1")
    service.ask("/lost/1")
    service.ask("/nothing")
    assert service.counts() == {
        ("POST", "/items/{item_id}", "200"): 1,
        ("OPTIONS", "/items/{item_id}", "200"): 1,
        ("GET", "/closed/{door}", "401"): 1,
        ("GET", "/lost/{item}", "404"): 1,
        ("GET", "unmatched", "404"): 1,
    }


def test_a_stream_that_breaks_off_behind_a_middleware_is_counted_as_that_leaves_it_and_told_of() -> None:
    async def passes(request: Request, call_next: Any) -> Response:
        return await call_next(request)

    app = application()
    app.add_middleware(BaseHTTPMiddleware, dispatch=passes)
    service = Service(app, log_requests=True)
    with capture_logs() as lines:
        answer = service.ask("/breaks-off")
    told = [(line["event"], line["log_level"]) for line in lines]
    if answer.messages[-1]["more_body"]:  # older releases of Starlette leave it open
        assert (service.counts(), told) == ({("GET", "/breaks-off", "500"): 1}, [("request", "error")])
        return
    assert service.counts() == {("GET", "/breaks-off", "200"): 1}
    assert told == [("request", "info"), ("failed after the answer", "error")]


@pytest.mark.parametrize("path", ["/stream", "/refused"])
def test_a_client_that_leaves_within_an_answer_leaves_its_status(path: str) -> None:
    async def gone(message: Message) -> None:
        if message["type"] == "http.response.body":
            raise OSError

    service = Service(application(), log_requests=True)
    with capture_logs() as lines:
        service.ask(path, send=gone)
    status = {"/stream": 200, "/refused": 503}[path]
    assert service.counts() == {("GET", path, str(status)): 1}
    assert [(line["status"], line.get("exc_info")) for line in lines] == [(status, None)]


def test_the_duration_is_that_of_the_answer_and_not_of_background_tasks() -> None:
    now = 0.0
    app = FastAPI()

    async def takes(seconds: float) -> None:
        nonlocal now
        now += seconds

    @app.get("/report")
    async def report(tasks: BackgroundTasks) -> None:
        await takes(2)
        tasks.add_task(takes, 60)

    async def slow() -> AsyncIterator[bytes]:
        for _ in range(3):
            await takes(1)
            yield b"x"

    app.add_api_route("/slow", lambda: StreamingResponse(slow()))
    service = Service(app, clock=lambda: now)
    service.ask("/report")
    service.ask("/slow")
    sums = {one["endpoint"]: one["value"] for one in service.samples("request_duration_seconds_sum")}
    assert sums == {"/report": 2.0, "/slow": 3.0}


def sockets() -> FastAPI:
    app = FastAPI()

    @app.websocket("/chat/{room}")
    async def chat(socket: WebSocket, room: str) -> None:
        if room == "closed":
            await socket.close()
        elif room == "broken":
            raise BrokenError
        elif room == "denied":
            await socket.send_denial_response(PlainTextResponse("no", 429))
        else:
            await socket.accept()
            if room == "breaks":
                raise BrokenError
            await socket.receive_text()

    return app


@pytest.mark.parametrize(
    ("room", "status", "client"),
    [
        ("open", "101", ("websocket.connect", "websocket.receive")),
        ("left", "101", ("websocket.connect", "websocket.disconnect")),
        ("closed", "403", ("websocket.connect",)),
        ("broken", "500", ("websocket.connect",)),
        ("breaks", "101", ("websocket.connect",)),
        ("denied", "429", ("websocket.connect",)),
    ],
)
def test_a_websocket_is_counted_by_its_handshake(room: str, status: str, client: tuple[str, ...]) -> None:
    service = Service(sockets())
    given = messages([{"type": kind, "text": "hello", "code": 1000} for kind in client])
    extensions = {"websocket.http.response": {}}
    answer = service.ask(f"/chat/{room}", type="websocket", receive=given, extensions=extensions)

    assert service.counts() == {("GET", "/chat/{room}", status): 1}
    assert len(answer.headers("x-request-id")) == (0 if room in ("closed", "broken") else 1)


def test_a_websocket_that_no_route_takes_is_refused_and_has_no_series_of_its_own() -> None:
    service = Service(sockets())
    service.ask("/nothing", type="websocket", receive=messages([{"type": "websocket.connect"}]))
    assert service.counts() == {("GET", "unmatched", "403"): 1}


def test_the_start_and_the_end_of_an_application_pass_through() -> None:
    happened: list[str] = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        happened.append("started")
        yield
        happened.append("ended")

    service = Service(FastAPI(lifespan=lifespan))
    told = messages([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    answer = service.ask("", type="lifespan", receive=told)
    assert [one["type"] for one in answer.messages] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert (happened, service.counts()) == (["started", "ended"], {})


def test_an_instrumented_application_inside_one_that_is_not_counts_below_its_mount() -> None:
    inner = Service(FastAPI())
    inner.app.add_route("/leaf/{name}", told)
    outer = FastAPI()
    outer.mount("/inner", inner.app)
    inner.app = outer
    inner.ask("/inner/leaf/a")
    assert inner.counts() == {("GET", "/leaf/{name}", "200"): 1}
    assert "request_count{" in inner.ask("/inner/metrics").text


def test_an_instrumented_application_inside_another_counts_once() -> None:
    inner = Service(FastAPI())
    inner.app.add_route("/leaf", told)
    outer = Service(FastAPI())
    outer.app.mount("/inner", inner.app)
    outer.ask("/inner/leaf")
    assert outer.counts() == {("GET", "/inner/leaf", "200"): 1}
    assert inner.counts() == {}


def test_excluded_paths_are_not_counted_and_other_paths_are() -> None:
    service = Service(FastAPI(), exclude=["/healthz"])
    for path in ("/healthz", "/healthz/live", "/healthzz"):
        service.ask(path)
    assert service.counts() == {("GET", "unmatched", "404"): 1}


def test_starlette_is_enough() -> None:
    service = Service(Starlette(routes=[Route("/hello/{name}", told)]))
    answer: Answer = service.ask("/hello/you")
    assert (answer.status, service.counts()) == (200, {("GET", "/hello/{name}", "200"): 1})
