"""One request in all three signals, and a collector that is not there."""

import asyncio
import json
import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from fastapi import BackgroundTasks, FastAPI
from observability_fastapi import current
from observability_fastapi.sending import Reporting
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from structlog.testing import capture_logs

from instrumentation.tests.logging_of import lines, recorded, written
from instrumentation.tests.service import Service
from local.ports import free_port

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
HEADERS = {"X-Request-Id": "r-1", "X-Project-Id": "atlas", "traceparent": f"00-{TRACE}-{PARENT}-01"}


def shop() -> FastAPI:
    app = FastAPI()

    @app.get("/items/{item_id}")
    async def item(item_id: int) -> None:
        structlog.get_logger().info("looked", item=item_id)
        logging.getLogger("orm").warning("slow %s", "query")

    @app.get("/thread")
    def thread() -> str:
        request = current()
        return request.request_id if request else "none"

    @app.get("/broken")
    async def broken(tasks: BackgroundTasks, late: bool = False) -> None:
        if not late:
            raise ValueError("what went wrong")
        tasks.add_task(broken, tasks)

    return app


def test_every_line_of_a_request_has_its_ids() -> None:
    tracer, exporter = recorded()
    with written() as stream:
        Service(shop(), tracer=tracer, log_requests=True).ask("/items/5", headers=HEADERS)
    (span,) = exporter.get_finished_spans()
    said = lines(stream)

    assert [line["message"] for line in said] == ["looked", "slow query", "request"]
    for line in said:
        assert list(line)[:4] == ["timestamp", "level", "service", "message"]
        assert (line["service"], line["request_id"], line["project_id"]) == ("shop", "r-1", "atlas")
        assert (line["trace_id"], line["span_id"]) == (TRACE, f"{span.get_span_context().span_id:016x}")
    assert (said[-1]["operation"], said[-1]["status"]) == ("GET /items/{item_id}", 200)
    assert span.name == "GET /items/{item_id}"
    assert span.parent
    assert f"{span.parent.span_id:016x}" == PARENT
    assert dict(span.attributes or {}) == {
        "operation": "GET /items/{item_id}",
        "http.request.method": "GET",
        "http.route": "/items/{item_id}",
        "http.response.status_code": 200,
        "url.path": "/items/5",
        "url.scheme": "http",
        "network.protocol.version": "1.1",
        "server.address": "shop",
        "server.port": 80,
        "client.address": "10.0.0.1",
        "client.port": 1,
        "request_id": "r-1",
        "project_id": "atlas",
    }


def test_a_request_without_a_recorder_has_ids_all_the_same() -> None:
    service = Service(shop(), log_requests=True)
    with written() as stream:
        service.ask("/items/5", headers=HEADERS)
        service.ask("/items/5")
    known, made = lines(stream)[2], lines(stream)[5]
    assert (known["trace_id"], known["span_id"]) == (TRACE, PARENT)
    assert len(made["trace_id"]) == 32
    assert made["trace_id"] != TRACE


def test_a_handler_in_a_thread_knows_its_request_and_nobody_knows_it_afterwards() -> None:
    service = Service(shop())
    assert service.ask("/thread", headers={"X-Request-Id": "r-2"}).text == '"r-2"'
    assert current() is None
    assert not trace.get_current_span().get_span_context().is_valid


def test_a_failure_has_one_line_with_its_exception() -> None:
    tracer, exporter = recorded()
    with written() as stream:
        Service(shop(), tracer=tracer, log_requests=True).ask("/broken")
    (line,) = lines(stream)
    (span,) = exporter.get_finished_spans()
    assert (line["level"], line["message"], line["status"]) == ("ERROR", "request", 500)
    assert "what went wrong" in line["exception"]
    assert [event.name for event in span.events] == ["exception"]
    assert span.status.status_code is trace.StatusCode.ERROR


def test_a_task_that_fails_after_the_answer_has_a_line_of_its_own() -> None:
    app = FastAPI()

    @app.get("/late")
    async def late(tasks: BackgroundTasks) -> None:
        def fails() -> None:
            raise ValueError("too late")

        tasks.add_task(fails)

    with capture_logs() as said:
        Service(app, log_requests=True).ask("/late")
    assert [(one["event"], one["log_level"]) for one in said] == [
        ("request", "info"),
        ("failed after the answer", "error"),
    ]


def test_tracing_can_be_left_out() -> None:
    service = Service(shop(), tracing=False, log_requests=True)
    with written() as stream:
        service.ask("/items/5", headers=HEADERS)
    assert "trace_id" not in lines(stream)[-1]


def test_the_span_that_fastapi_makes_itself_is_the_request_s() -> None:
    if "telemetry" not in FastAPI.__init__.__annotations__:
        pytest.skip("this release of FastAPI makes no spans")
    tracer, mine = recorded()
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    app = FastAPI(telemetry={"tracer_provider": provider, "operation_spans": False})
    app.add_api_route("/items/{item_id}", lambda item_id: item_id)
    Service(app, tracer=tracer).ask("/items/5", headers=HEADERS)
    (span,) = exporter.get_finished_spans()
    assert mine.get_finished_spans() == ()
    assert (span.attributes or {})["request_id"] == "r-1"


class Collector(SpanExporter):
    """A collector that answers as told."""

    def __init__(self, *answers: SpanExportResult | Exception) -> None:
        self._answers = list(answers)

    def export(self, spans: Any) -> SpanExportResult:
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_an_outage_of_the_collector_is_one_warning_and_its_end_one_line() -> None:
    bad, good = SpanExportResult.FAILURE, SpanExportResult.SUCCESS
    reporting = Reporting(Collector(bad, bad, ValueError(), good, good, bad))
    batch: Any = [object(), object()]
    with capture_logs() as said:
        for _ in range(6):
            reporting.export(batch)
    assert [(one["log_level"], one.get("lost")) for one in said] == [("warning", None), ("info", 6), ("warning", None)]


PROGRAM = """
from fastapi import FastAPI
from observability_fastapi import instrument

app = FastAPI()
instrument(app, service="orders")

@app.get("/items/{item_id}")
async def item(item_id: int): return item_id

@app.get("/broken")
async def broken(): raise ValueError("what went wrong")
"""


def test_a_service_whose_collector_is_down_answers_at_once_warns_once_and_ends(tmp_path: Path) -> None:
    """The real thing: three lines in a program, uvicorn, and the address of a collector that nobody listens on."""
    port = free_port()
    environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
    (tmp_path / "shop.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "uvicorn", "--app-dir", str(tmp_path), "--port", str(port), "shop:app"]
    program = subprocess.Popen(
        command,
        env={**environment, "OTEL_BSP_SCHEDULE_DELAY": "100"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said: list[str] = []
    reader = threading.Thread(target=lambda: said.extend(program.stdout or ()))
    reader.start()
    took: list[float] = []
    try:
        asyncio.run(_until_up(port))
        limits = httpx.Limits(max_keepalive_connections=0)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, limits=limits) as client:
            for number in range(60):
                began = time.monotonic()
                client.get(f"/items/{number}", headers={"X-Request-Id": f"r-{number}"})
                took.append(time.monotonic() - began)
                time.sleep(0.02)
            assert client.get("/broken").status_code == 500
            assert 'request_count{endpoint="/items/{item_id}"' in client.get("/metrics").text
            deadline = time.monotonic() + 60
            while not any("traces are not delivered" in line for line in list(said)) and time.monotonic() < deadline:
                time.sleep(0.1)
    finally:
        program.terminate()
        program.wait(60)
        reader.join()
    found = [json.loads(line) for line in said]

    assert sorted(took)[len(took) // 2] < 1
    assert [line["request_id"] for line in found if line["message"] == "request"][:60] == [f"r-{n}" for n in range(60)]
    warnings = [line["message"] for line in found if line["level"] == "WARNING"]
    assert warnings == ["traces are not delivered"]
    # What went wrong is said once, by the package: uvicorn's own words for it have no id.
    (failed,) = [line for line in found if "what went wrong" in line.get("exception", "")]
    assert failed["operation"] == "GET /broken"
    assert len(failed["trace_id"]) == 32


async def _until_up(port: int) -> None:
    async with httpx.AsyncClient() as client:
        for _ in range(600):
            try:
                await client.get(f"http://127.0.0.1:{port}/metrics")
            except httpx.HTTPError:
                await asyncio.sleep(0.1)
            else:
                return
    raise AssertionError("the program does not listen")
