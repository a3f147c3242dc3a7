"""Every exception is written once, by the server where the middleware does not, and requests are not repeated."""

import contextlib
import io
import json
import logging
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from fastapi import FastAPI
from observability_fastapi import add_request
from observability_fastapi.failures import FAILURES
from starlette.responses import PlainTextResponse

from instrumentation.tests.service import Service


def failing() -> Service:
    app = FastAPI()

    @app.get("/healthz")
    @app.get("/broken")
    async def broken() -> None:
        raise ERROR

    return Service(app, logs=True, log_requests=True, exclude=["/healthz"])


ERROR = ValueError("what went wrong")


def as_uvicorn(error: BaseException | None) -> None:
    """What uvicorn and hypercorn do with an exception that comes out of the application."""
    for name in ("uvicorn.error", "hypercorn.error"):
        logging.getLogger(name).error("Exception in ASGI application\n", exc_info=error)


def test_an_exception_is_written_once_and_by_the_server_where_the_middleware_does_not() -> None:
    with contextlib.redirect_stdout(io.StringIO()) as stdout:
        service = failing()
        for path in ("/broken", "/healthz"):
            logging.getLogger("uvicorn.error").error(
                "Exception in ASGI application\n", exc_info=service.ask(path).error
            )
        as_uvicorn(RuntimeError("of an application around it"))
    said = [json.loads(line) for line in stdout.getvalue().splitlines()]
    assert [(line["message"].strip(), "what went wrong" in line["exception"]) for line in said] == [
        ("request", True),
        ("Exception in ASGI application", True),
        ("Exception in ASGI application", False),
        ("Exception in ASGI application", False),
    ]


@pytest.mark.parametrize("options", [{"log_level": "CRITICAL"}, {"log_requests": False}, {"logs": False}])
def test_where_the_middleware_writes_no_exception_the_server_does(options: dict[str, Any]) -> None:
    app = FastAPI()

    @app.get("/broken")
    async def broken() -> None:
        raise ValueError("what went wrong")

    service = Service(app, **{"logs": True, "log_requests": True, **options})
    with contextlib.redirect_stdout(io.StringIO()):
        error = service.ask("/broken").error
    record = logging.makeLogRecord({"exc_info": (type(error), error, None), "levelno": logging.ERROR})
    assert logging.getLogger("uvicorn.error").filter(record)


def test_the_server_s_own_filters_and_handlers_stay(tmp_path: Path) -> None:
    server, file = logging.getLogger("uvicorn.error"), logging.FileHandler(tmp_path / "server.txt")
    server.addFilter(mine := lambda record: True)
    server.handlers = [file, logging.StreamHandler(sys.stderr)]
    with contextlib.redirect_stdout(io.StringIO()):
        failing().ask("/x")
    file.close()
    assert mine in server.filters
    assert server.handlers == [file]
    assert server.propagate


def test_a_configuration_of_the_service_can_add_the_request_to_its_lines() -> None:
    app, found = FastAPI(), []

    @app.get("/says")
    async def says() -> None:
        structlog.get_logger().info("said")

    def keep(_: Any, __: str, event: Any) -> Any:
        found.append(dict(event))
        raise structlog.DropEvent

    structlog.configure(processors=[add_request, keep])
    Service(app, log_requests=True).ask("/says", headers={"X-Request-Id": "r-1", "X-Project-Id": "atlas"})
    for line in found:
        assert (line["service"], line["request_id"], line["project_id"]) == ("shop", "r-1", "atlas")
        assert len(line["trace_id"]) == 32
    assert [line["event"] for line in found] == ["said", "request"]
    assert add_request(None, "info", {"event": "outside"}) == {"event": "outside"}
    assert FAILURES.counts() == {}


def test_without_our_logs_the_server_does_not_repeat_a_request() -> None:
    app, kept = FastAPI(), []

    async def asked(_: Any) -> PlainTextResponse:
        access = logging.makeLogRecord({"name": "uvicorn.access", "levelno": logging.INFO})
        kept.append(bool(logging.getLogger("uvicorn.access").filter(access)))
        return PlainTextResponse("x")

    app.add_route("/asked", asked)
    app.add_route("/healthz", asked)
    service = Service(app, log_requests=True, exclude=["/healthz"])
    service.ask("/asked")
    service.ask("/healthz")
    assert kept == [False, True]


PROGRAM = """
import uvicorn
from fastapi import FastAPI
from observability_fastapi import instrument
app = FastAPI()
instrument(app, service="shop")
uvicorn.run(app, port=0, log_config=None)
"""


def test_with_uvicorn_run_every_line_of_the_server_is_json_from_its_start_to_its_stop() -> None:
    command = [sys.executable, "-c", PROGRAM]
    program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said: list[dict[str, Any]] = []
    assert program.stdout
    try:
        for line in program.stdout:
            said.append(json.loads(line))
            if running := re.match(r"Uvicorn running on (\S+)", said[-1]["message"]):
                assert httpx.get(f"{running[1]}/nothing").status_code == 404
                break
    finally:
        program.terminate()
        rest, _ = program.communicate(timeout=60)
    said += [json.loads(line) for line in rest.splitlines()]
    assert [re.sub(r"\[.*\]|\d+ \(.*", "…", line["message"]) for line in said] == [
        "Started server process …",
        "Waiting for application startup.",
        "Application startup complete.",
        "Uvicorn running on http://127.0.0.1:…",
        "request",
        "Shutting down",
        "Waiting for application shutdown.",
        "Application shutdown complete.",
        "Finished server process …",
    ]
    assert {(line["level"], line["service"]) for line in said} == {("INFO", "shop")}
