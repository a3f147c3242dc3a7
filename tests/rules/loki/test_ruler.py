"""Loki's ruler itself: it reads the rendered rules and sends what fires, and that it is over, to Alertmanager."""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from rules import loader
from rules.model import AlertOverride, Links
from tests.rules.loki.server import loki

NAME = "SpecCursorErrorLogBurst"
LINKS = Links(runbook_base_url="https://runbooks.test", dashboard_base_url="https://grafana.test")
TENANT = "fake"


class _Alertmanager(HTTPServer):
    """Keeps what it is sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.alerts: list[dict[str, Any]] = []


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, _Alertmanager)
        assert self.path == "/api/v2/alerts"
        self.server.alerts += json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Quiet."""


@pytest.fixture
def alertmanager() -> Any:
    server = _Alertmanager()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def eventually(check: Callable[[], Any], seconds: float = 90) -> Any:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := check():
            return found
        time.sleep(0.2)
    raise AssertionError("did not happen in time")


def test_the_ruler_sends_the_alert_and_reads_a_changed_file(tmp_path: Path, alertmanager: _Alertmanager) -> None:
    rule_set = loader.load()
    rules = tmp_path / "rules" / TENANT

    def deploy(lines_per_minute: float) -> None:
        change = AlertOverride.model_validate({"for": "2s", "thresholds": {"lines_per_minute": lines_per_minute}})
        rules.mkdir(parents=True, exist_ok=True)
        for name, text in loader.render_loki(rule_set, {NAME: change}, LINKS).items():
            (rules / name).write_text(text)

    deploy(10)
    address = f"127.0.0.1:{alertmanager.server_address[1]}"
    with loki(tmp_path, alertmanager=address, evaluation_interval="1s") as server:
        stream = {"namespace": "speccursor", "app": "speccursor", "service": "controller"}
        now = time.time_ns()
        server.push(TENANT, stream, ((now - 60 * 10**9 + i * 10**8, "failed", {"level": "ERROR"}) for i in range(100)))
        alert = eventually(lambda: alertmanager.alerts)[0]
        rule = rule_set.rules()[NAME]
        assert alert["labels"] == {
            **rule.labels.model_dump(),
            "alertname": NAME,
            "namespace": "speccursor",
            "service": "controller",
            "cluster": "test",
        }
        assert alert["annotations"] == {
            "summary": "Service controller logs many errors",
            "description": "controller (namespace speccursor) logs 20 ERROR lines per minute.",
            "dashboard_url": "https://grafana.test/d/speccursor-system",
            "runbook_url": f"https://runbooks.test/{NAME}.md",
        }
        assert alert["generatorURL"].startswith("http://grafana.test/explore?")
        assert "%22loki%22" in alert["generatorURL"]
        # The threshold goes up in the file, nothing restarts, and the alert is over.
        deploy(1000)
        eventually(lambda: [one for one in alertmanager.alerts if one["endsAt"] < _soon()])


def _soon() -> str:
    """An end that is no longer in the future: a firing alert ends minutes from now, until it is sent again."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 1))
