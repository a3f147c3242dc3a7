"""One route per case of the table in test_cases.py."""

import asyncio
from collections.abc import AsyncIterator

from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route


class BrokenError(Exception):
    """What handlers raise here."""


class KnownError(Exception):
    """What handlers raise, and an exception handler answers."""


async def chunks(fails: bool = False) -> AsyncIterator[bytes]:
    yield b"one"
    if fails:
        raise BrokenError
    yield b"two"


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b"more"
        await asyncio.sleep(0)


async def answers_known(_: Request, __: Exception) -> JSONResponse:
    return JSONResponse({}, 500)


def nobody() -> None:
    raise HTTPException(404)


async def told(_: Request) -> PlainTextResponse:
    return PlainTextResponse("told")


def routers(app: FastAPI) -> None:
    """Included twice, nested, mounted with and without a parameter."""
    leaf = APIRouter()

    @leaf.get("/{leaf_id}")
    async def read_leaf(leaf_id: str) -> str:
        return leaf_id

    branch = APIRouter()
    branch.include_router(leaf, prefix="/leaves")
    app.include_router(branch, prefix="/spring")
    app.include_router(branch, prefix="/autumn")
    own = APIRouter(prefix="/regions/{region}")
    own.add_api_route("", nobody)
    app.include_router(own)
    inner = FastAPI()
    inner.include_router(leaf, prefix="/leaves")

    @inner.get("/broken")
    async def inner_broken() -> None:
        raise BrokenError

    app.mount("/inner", inner)
    app.mount("/tenants/{tenant}", inner)
    app.mount("/plain", Starlette(routes=[Mount("/deep", routes=[Route("/{number:int}", told)])]))
    app.mount("/opaque", PlainTextResponse("x"))


def failures(app: FastAPI) -> None:
    """Raised by a dependency, and answered by an exception handler."""
    app.add_exception_handler(KnownError, answers_known)

    @app.get("/known/{number}")
    async def known(number: int) -> None:
        raise KnownError

    @app.get("/guarded/{number}", dependencies=[Depends(nobody)])
    async def guarded(number: int) -> int:
        return number


def application() -> FastAPI:  # noqa: C901 - a list of routes
    """One route per case."""
    app = FastAPI()
    routers(app)
    failures(app)

    @app.get("/files/{path:path}")
    async def file(path: str) -> str:
        return path

    @app.get("/endless")
    async def without_end() -> StreamingResponse:
        return StreamingResponse(endless())

    @app.api_route("/items/{item_id}", methods=["GET", "HEAD"])
    async def item(item_id: int) -> int:
        return item_id

    @app.get("/sync/{item_id}")
    def in_a_thread(item_id: int) -> int:
        return item_id

    @app.get("/refused")
    async def refused() -> None:
        raise HTTPException(503)

    @app.get("/broken")
    async def broken() -> None:
        raise BrokenError

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        return StreamingResponse(chunks())

    @app.get("/breaks-off")
    async def breaks_off() -> StreamingResponse:
        return StreamingResponse(chunks(fails=True))

    @app.get("/background")
    async def background(tasks: BackgroundTasks) -> str:
        async def fails() -> None:
            raise BrokenError

        tasks.add_task(fails)
        return "done"

    @app.post("/upload")
    async def upload(request: Request) -> int:
        return len(await request.body())

    @app.get("/waits")
    async def waits(request: Request) -> None:
        while not await request.is_disconnected():
            await asyncio.sleep(0)

    @app.get("/cancelled")
    async def cancelled() -> None:
        raise asyncio.CancelledError

    @app.get("/teapot")
    async def strange() -> Response:
        return Response(status_code=799)

    app.add_route("/same/a", told)
    app.add_route("/same/b", told)
    return app
