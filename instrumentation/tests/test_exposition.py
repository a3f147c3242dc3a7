"""The page of metrics: in its own thread, on either event loop, compressed, and behind the service's own routes."""

import asyncio
import gzip
import threading
from collections.abc import AsyncIterator

import pytest
import trio
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import StreamingResponse
from observability_fastapi import InstrumentationError, exposition
from starlette.applications import Starlette
from starlette.routing import Route

from instrumentation.tests.service import Service

MANY = 60


def busy() -> Service:
    service = Service()
    for number in range(MANY):
        service.ask("/x", headers={"X-Project-Id": f"p{number}"})
    return service


def test_a_service_whose_threads_are_all_busy_is_scraped_all_the_same() -> None:
    service, ends = busy(), threading.Event()

    async def scrape() -> str:
        loop = asyncio.get_running_loop()
        waiting = [loop.run_in_executor(None, ends.wait) for _ in range(64)]
        answer = await asyncio.wait_for(service.request("/metrics"), 30)
        ends.set()
        await asyncio.gather(*waiting)
        return answer.text

    assert "request_count{" in asyncio.run(scrape())


def test_a_scrape_and_a_request_work_on_trio() -> None:
    service = busy()
    answers = trio.run(lambda: _both(service))
    assert [one.status for one in answers] == [404, 200]
    assert "request_count{" in answers[1].text


async def _both(service: Service) -> list[object]:
    return [await service.request("/nothing"), await service.request("/metrics")]


def test_a_cancelled_request_is_499_on_trio_too() -> None:
    app = FastAPI()

    @app.get("/waits")
    async def waits() -> None:
        await trio.sleep_forever()

    service = Service(app)

    async def cancel() -> None:
        with trio.move_on_after(0.05):
            await service.app(_scope("/waits"), trio.sleep_forever, _ignore)

    trio.run(cancel)
    assert service.counts() == {("GET", "/waits", "499"): 1}


def test_a_client_that_leaves_a_stream_leaves_its_status_on_trio() -> None:
    app = FastAPI()
    app.add_api_route("/endless", lambda: StreamingResponse(forever()))
    service = Service(app)

    async def leaves() -> None:
        with trio.move_on_after(0.05):
            await service.app(_scope("/endless"), trio.sleep_forever, _yields)

    trio.run(leaves)
    assert service.counts() == {("GET", "/endless", "200"): 1}


async def forever() -> AsyncIterator[bytes]:
    while True:
        yield b"more"
        await trio.lowlevel.checkpoint()


async def _ignore(_: object) -> None:
    return


async def _yields(_: object) -> None:
    await trio.lowlevel.checkpoint()


def _scope(path: str) -> dict[str, object]:
    return {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b"", "root_path": ""}


@pytest.mark.parametrize(
    ("accepted", "compressed"),
    [("gzip", True), ("gzip, deflate;q=0.5", True), ("*", True), ("gzip;q=0", False), ("identity", False), ("", False)],
)
def test_a_large_page_is_compressed_for_whoever_accepts_it(accepted: str, compressed: bool) -> None:
    service = busy()
    plain = service.ask("/metrics")
    answer = service.ask("/metrics", headers={"Accept-Encoding": accepted})
    body = b"".join(one.get("body", b"") for one in answer.messages)
    assert answer.headers("content-encoding") == (["gzip"] if compressed else [])
    assert (gzip.decompress(body) if compressed else body).decode() == plain.text
    assert answer.headers("content-length") == [str(len(body))]
    assert "Accept-Encoding" in answer.headers("vary")[0]


def test_a_route_of_the_service_can_serve_the_metrics_behind_its_own_guard() -> None:
    app = FastAPI()

    def guard(request: Request) -> None:
        if "authorization" not in request.headers:
            raise HTTPException(401)

    @app.get("/internal/metrics", dependencies=[Depends(guard)])
    async def metrics(request: Request) -> Response:
        return await exposition(app).answer(request)

    service = Service(app, metrics_path=None)
    assert service.ask("/metrics").status == 404
    assert service.ask("/internal/metrics").status == 401
    answer = service.ask("/internal/metrics", headers={"Authorization": "Bearer x"})
    assert answer.status == 200
    assert 'endpoint="unmatched"' in answer.text


def test_another_port_can_serve_the_metrics() -> None:
    service = Service(metrics_path=None)
    service.ask("/x")
    other = Service.plain(Starlette(routes=[Route("/metrics", exposition(service.app))]))
    assert "request_count{" in other.ask("/metrics").text


def test_an_application_without_instrumentation_has_no_metrics_to_serve() -> None:
    with pytest.raises(InstrumentationError, match="not instrumented"):
        exposition(FastAPI())
