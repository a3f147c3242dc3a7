"""The real Jaeger with our configuration: traces outlive its restart, and its monitor asks for the names that exist."""

import os
import signal
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs

import httpx

from components.traces import jaeger_config
from components.traces.jaeger_config import JaegerConfig
from local.toolchain import tool
from tests.collector import jaeger
from tools.http_server import Handler, serving
from tools.programs import configured, eventually


@contextmanager
def _prometheus() -> Generator[tuple[str, list[str]]]:
    """Answers nothing, and remembers what it was asked."""
    asked: list[str] = []

    class Asked(Handler):
        def respond(self) -> None:
            asked.extend(parse_qs(self.body().decode()).get("query", []))
            self.answer(200, b'{"status":"success","data":{"resultType":"matrix","result":[]}}')

    with serving(Asked) as url:
        yield url, asked


def test_traces_outlive_a_restart_and_the_monitor_asks_for_our_metrics(tmp_path: Path) -> None:
    listen = jaeger.loopback()
    api = f"http://127.0.0.1:{listen.query}/api"
    with _prometheus() as (prometheus, asked):
        config = jaeger_config.render(
            JaegerConfig(retention="7d", prometheus=prometheus, data_folder=str(tmp_path / "data"), listen=listen)
        )
        server = configured("jaeger", config, tmp_path / "jaeger", jaeger.health(listen))

        def services() -> list[str]:
            (trace,) = httpx.get(f"{api}/traces/{jaeger.TRACE}").raise_for_status().json()["data"]
            return [process["serviceName"] for process in trace["processes"].values()]

        with server:
            jaeger.store(listen)
            eventually(lambda: services() == ["till"], seconds=20, what="the trace is not stored")
            # Acknowledged is stored: a kill loses nothing.
            server.end(signal.SIGKILL)
            server.start()
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
