"""Every log line is one JSON object with the fields of the contract, whichever logger writes it."""

import json
import logging
import os
import re
import subprocess
import sys
import threading
import time
from typing import Any

import httpx
import pytest
import structlog

from local.ports import free_port
from simulator.engine.tracing import Tracing
from tests.mock_engine import ROOT
from tests.simulator.lines import captured

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def assert_contract(line: dict[str, Any]) -> None:
    assert list(line)[:4] == ["timestamp", "level", "service", "message"]
    assert TIMESTAMP.fullmatch(line["timestamp"])
    assert line["level"] == line["level"].upper()


def test_a_line_has_the_fields_of_the_contract() -> None:
    with captured("jq-server") as lines:
        structlog.get_logger().info("hello", queue="email")
        structlog.get_logger().error("oh", service="other")
    first, second = lines.read()

    assert_contract(first)
    assert (first["service"], first["message"], first["queue"]) == ("jq-server", "hello", "email")
    assert (second["level"], second["service"]) == ("ERROR", "other")


def test_a_line_inside_a_span_names_it() -> None:
    with captured() as lines, Tracing().tracer("a").start_as_current_span("s") as span:
        structlog.get_logger().info("inside")
    context = span.get_span_context()

    (line,) = lines.read()
    assert line["trace_id"] == f"{context.trace_id:032x}"
    assert line["span_id"] == f"{context.span_id:016x}"


def test_the_standard_library_writes_lines_of_the_same_form() -> None:
    with captured("pod") as lines:
        logging.getLogger("uvicorn.error").error("bad %s", "news")
        try:
            int("broken\nin two lines")
        except ValueError:
            logging.getLogger("x").exception("failed")
    first, second = lines.read()

    assert_contract(first)
    assert (first["service"], first["message"], first["logger"]) == ("pod", "bad news", "uvicorn.error")
    assert "broken" in second["exception"]


@pytest.mark.parametrize(("method", "status", "written"), [("GET", 200, 0), ("GET", 404, 1), ("PUT", 200, 1)])
def test_scrapes_and_probes_do_not_flood_the_log(method: str, status: int, written: int) -> None:
    with captured() as lines:
        access = logging.getLogger("uvicorn.access")
        access.info('%s - "%s %s HTTP/%s" %d', "1.2.3.4:5", method, "/metrics", "1.1", status)

    assert len(lines.read()) == written


def test_a_pod_whose_collector_is_down_works_and_warns_once() -> None:
    """Runs the real program. Its whole output is JSON, runs continue, and it ends in time.

    It refuses to send traces, and gives the reason.
    """
    port = free_port()
    environment = {**os.environ, "SIMULATOR_ROLE": "speccursor", "SIMULATOR_PORT": str(port)}
    environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{free_port()}"
    pod = subprocess.Popen(
        [sys.executable, "-m", "simulator"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    written: list[str] = []
    assert pod.stdout
    reader = threading.Thread(target=lambda: written.extend(pod.stdout or ()))
    reader.start()
    try:
        deadline = time.monotonic() + 60
        while sum("webhook handled" in line for line in list(written)) < 4 and time.monotonic() < deadline:
            time.sleep(0.1)
        answer = httpx.post(f"http://127.0.0.1:{port}/traces", json={"count": 2}, timeout=30)
    finally:
        pod.terminate()
        pod.wait(20)
        reader.join()
    lines = [json.loads(line) for line in written]

    assert answer.status_code == 503
    assert "rejects spans" in answer.json()["detail"]
    for line in lines:
        assert_contract(line)
    assert sum(line["message"] == "webhook handled" for line in lines) >= 4
    assert [line["message"] for line in lines if line["level"] == "WARNING"].count("traces are not delivered") <= 1
    assert any(line.get("logger") == "uvicorn.access" and "503" in line["message"] for line in lines)
    assert pod.stderr
    assert pod.stderr.read() == ""


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("SIMULATOR_ROLE", "x", "server, worker, speccursor, api"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "agent:4318", "http://"),
    ],
)
def test_a_wrong_setting_is_named_before_anything_starts(name: str, value: str, allowed: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "simulator"],
        cwd=ROOT,
        env={**os.environ, "SIMULATOR_ROLE": "worker", name: value},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert all(part in done.stderr for part in (name, repr(value), allowed))
