"""The endpoint of a request whose route is not simply in the scope: mounts, root paths, copied scopes, front ends."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Host, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from instrumentation.tests.service import Service

PREFLIGHT = {"Origin": "http://a", "Access-Control-Request-Method": "GET"}
CORS = Middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["GET"])


async def told(_: Request) -> PlainTextResponse:
    return PlainTextResponse("told")


ROUTES = [Route("/a/{id}", told), Route("/b/{id}", told)]


def inner(kind: str) -> list[BaseRoute]:
    """A mounted application whose middleware answers preflights."""
    app = Starlette(routes=ROUTES, middleware=[CORS])
    if kind == "host":
        return [Host("{place}", app=Starlette(routes=[Mount("/inner", app=app)]))]
    if kind == "middleware of the mount":
        return [Mount("/inner", routes=ROUTES, middleware=[CORS])]
    if kind == "nested":
        return [Mount("/inner", app=Starlette(routes=[Mount("", app=app)]))]
    return [Mount("/inner", app=app)]


ORDERS = [("a", "b", "nothing"), ("nothing", "a", "b")]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", ["mount", "host", "middleware of the mount", "nested"])
def test_an_answer_of_a_mounted_application_s_middleware_gives_its_endpoint_to_no_other(
    kind: str, order: tuple[str, ...]
) -> None:
    service = Service(Starlette(routes=inner(kind)))
    for name in order:
        if name == "nothing":
            service.ask("/inner/nothing")
        else:
            service.ask(f"/inner/{name}/1", "OPTIONS", PREFLIGHT)
    assert service.counts() == {
        ("OPTIONS", "/inner/a/{id}", "200"): 1,
        ("OPTIONS", "/inner/b/{id}", "200"): 1,
        ("GET", "unmatched", "404"): 1,
    }


class Changes:
    """A middleware that changes the scope, in place or in a copy."""

    def __init__(self, app: ASGIApp, change: Callable[[Scope], None], copies: bool) -> None:
        self.app, self.change, self.copies = app, change, copies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope = dict(scope) if self.copies else scope
        if scope["type"] == "http":
            self.change(scope)
        await self.app(scope, receive, send)


def forwarded(scope: Scope) -> None:
    """The prefix that a proxy names; the path keeps it, or not."""
    if (b"x-forwarded-prefix", b"/api") in scope["headers"]:
        scope["root_path"] = "/api"


def language(scope: Scope) -> None:
    scope["path"] = scope["path"].removeprefix("/de")


def items(change: Callable[[Scope], None], copies: bool) -> Service:
    app = FastAPI()
    app.add_api_route("/items/{item_id}", lambda item_id: item_id)
    app.mount("/inner", Starlette(routes=ROUTES))
    app.add_middleware(Changes, change=change, copies=copies)
    return Service(app)


@pytest.mark.parametrize("copies", [False, True])
def test_a_root_path_that_a_middleware_sets_hides_no_endpoint_and_spoils_no_other(copies: bool) -> None:
    service = items(forwarded, copies)
    prefixed = {"X-Forwarded-Prefix": "/api"}
    for path, headers in (
        ("/api/items/1", prefixed),
        ("/items/1", prefixed),
        ("/items/1", {}),
        ("/api/inner/a/1", prefixed),
        ("/api/nothing", prefixed),
    ):
        service.ask(path, headers=dict(headers))
    assert service.counts() == {
        ("GET", "/items/{item_id}", "200"): 3,
        ("GET", "/inner/a/{id}", "200"): 1,
        ("GET", "unmatched", "404"): 1,
    }


@pytest.mark.parametrize("copies", [False, True])
def test_a_path_that_a_middleware_changes_hides_no_endpoint(copies: bool) -> None:
    service = items(language, copies)
    for path in ("/de/items/1", "/items/1", "/de/inner/b/1", "/de/nothing"):
        service.ask(path)
    assert service.counts() == {
        ("GET", "/items/{item_id}", "200"): 2,
        ("GET", "/inner/b/{id}", "200"): 1,
        ("GET", "unmatched", "404"): 1,
    }


def test_a_path_below_a_mount_is_not_taken_for_one_above_it() -> None:
    app = Starlette(routes=[Mount("/inner", routes=ROUTES), Route("/{name}", told)])
    service = Service(app)
    service.ask("/inner/nothing")
    assert service.counts() == {("GET", "unmatched", "404"): 1}


def front_end(folder: Path, make: Callable[[FastAPI], Any]) -> Service:
    if not hasattr(FastAPI, "frontend"):
        pytest.skip("this release of FastAPI serves no front ends")
    (folder / "assets").mkdir()
    (folder / "index.html").write_text("<p>home</p>")
    (folder / "assets" / "app.js").write_text("1")
    app = FastAPI()
    app.add_api_route("/api/items/{item_id}", lambda item_id: item_id)
    make(app)
    return Service(app)


def test_the_files_of_a_front_end_are_one_endpoint(tmp_path: Path) -> None:
    service = front_end(tmp_path, lambda app: app.frontend("/", directory=tmp_path))
    for path in ("/", "/assets/app.js", "/index.html", "/api/items/5"):
        answer = service.ask(path)
        assert (answer.status, answer.error) == (200, None)
    assert service.counts() == {("GET", "/{path}", "200"): 3, ("GET", "/api/items/{item_id}", "200"): 1}


def test_a_front_end_below_a_path_or_a_mount_has_that_path(tmp_path: Path) -> None:
    def make(app: FastAPI) -> None:
        below = FastAPI()
        below.frontend("/ui", directory=tmp_path)
        app.frontend("/shop", directory=tmp_path)
        app.mount("/tenants/{tenant}", below)

    service = front_end(tmp_path, make)
    for path in ("/shop/assets/app.js", "/tenants/a/ui/index.html", "/tenants/b/ui/assets/app.js"):
        assert service.ask(path).status == 200
    assert service.counts() == {
        ("GET", "/shop/{path}", "200"): 1,
        ("GET", "/tenants/{tenant}/ui/{path}", "200"): 2,
    }
