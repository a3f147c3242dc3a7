"""The real Jaeger with our configuration: traces outlive its restart, and its monitor asks for the names that exist."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx

from components import jaeger_config
from components.jaeger_config import JaegerConfig, Listen
from local.ports import free_ports
from local.toolchain import tool
from tests.collector.processes import Program, eventually, running

TRACE = "0af7651916cd43dd8448eb211c80319c"


def _listen() -> Listen:
    grpc, http, query, query_grpc, metrics, health = free_ports(6)
    return Listen(
        host="127.0.0.1",
        grpc=grpc,
        http=http,
        query=query,
        query_grpc=query_grpc,
        metrics=metrics,
        health=health,
    )


@contextmanager
def _prometheus() -> Generator[tuple[str, list[str]]]:
    """Answers nothing, and remembers what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            asked.extend(parse_qs(body).get("query", []))
            answer = b'{"status":"success","data":{"resultType":"matrix","result":[]}}'
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the base class calls it so
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()


def _trace(now_ns: int) -> dict[str, Any]:
    span = {
        "traceId": TRACE,
        "spanId": "b7ad6b7169203331",
        "name": "checkout",
        "kind": 2,
        "startTimeUnixNano": str(now_ns),
        "endTimeUnixNano": str(now_ns + 1_000_000),
    }
    service = {"attributes": [{"key": "service.name", "value": {"stringValue": "till"}}]}
    return {"resourceSpans": [{"resource": service, "scopeSpans": [{"spans": [span]}]}]}


def test_traces_outlive_a_restart_and_the_monitor_asks_for_our_metrics(tmp_path: Path) -> None:
    listen = _listen()
    api = f"http://127.0.0.1:{listen.query}/api"
    with _prometheus() as (prometheus, asked):
        config = jaeger_config.render(
            JaegerConfig(retention="7d", prometheus=prometheus, data_folder=str(tmp_path / "data"), listen=listen)
        )
        jaeger = Program("jaeger", config, tmp_path / "jaeger", f"http://127.0.0.1:{listen.health}/status")

        def services() -> list[str]:
            (trace,) = httpx.get(f"{api}/traces/{TRACE}").raise_for_status().json()["data"]
            return [process["serviceName"] for process in trace["processes"].values()]

        with running(jaeger):
            now = time.time_ns()
            sent = httpx.post(f"http://127.0.0.1:{listen.http}/v1/traces", json=_trace(now), timeout=30)
            sent.raise_for_status()
            eventually(lambda: services() == ["till"], seconds=20, what="the trace is not stored")
            # Acknowledged is stored: a kill loses nothing.
            jaeger.end(signal.SIGKILL)
            jaeger.start()
            eventually(lambda: services() == ["till"], seconds=20, what="the trace did not outlive the restart")
            metrics = httpx.get(f"http://127.0.0.1:{listen.metrics}/metrics").text
            for question in ("calls?service=till", "latencies?service=till&quantile=0.95", "errors?service=till"):
                httpx.get(f"{api}/metrics/{question}", timeout=20).raise_for_status()
    assert any("traces_span_metrics_calls_total{" in query for query in asked)
    assert any("traces_span_metrics_duration_seconds_bucket{" in query for query in asked)
    assert "jaeger_storage_requests" in metrics


def test_jaeger_accepts_the_configuration_for_opensearch(tmp_path: Path) -> None:
    file = tmp_path / "jaeger.yaml"
    config = JaegerConfig(
        retention="7d",
        prometheus="http://prometheus.home.svc:9090",
        storage="opensearch",
        opensearch_urls=["https://search.example.com"],
    )
    file.write_text(jaeger_config.render(config))
    environment = {**os.environ, jaeger_config.USERNAME_ENV: "jaeger", jaeger_config.PASSWORD_ENV: "secret"}
    command = [tool("jaeger"), "validate", f"--config={file}"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=60)
    assert result.returncode == 0, result.stderr
    file.write_text(file.read_text().replace("server_urls", "servers"))
    again = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=60)
    assert "servers" in again.stderr
