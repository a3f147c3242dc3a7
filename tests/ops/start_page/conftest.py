"""Fakes of the services whose answers the start page shows, and the page itself."""

import json
import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from ops.start_page.guard import Guard
from ops.start_page.server import serve
from ops.start_page.state import Stack


class Services:
    """Alertmanager, the receiver and one simulator, on one port."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.answers: dict[str, Any] = {
            "/api/v2/alerts": [
                {"labels": {"alertname": "Late", "severity": "warning"}, "startsAt": "2026-11-28T10:00:02.5Z"},
                {"labels": {"alertname": "<b>Early</b>", "system": "api"}, "startsAt": "2026-11-28T09:00:01Z"},
            ],
            "/deliveries": [
                {
                    "received_at": at,
                    "channel": f"channel-{at}",
                    "kind": "slack",
                    "status": "firing",
                    "alerts": [{"alertname": "Late"}, {"alertname": "Late"}],
                    "payload": {},
                }
                for at in (1.0, 2.0)
            ],
            "/faults": [
                {"fault": "Slow", "alert": "Late", "description": "It takes long.", "active": []},
                {"fault": "Broken", "alert": None, "description": "It fails.", "active": [{"since": 1}]},
            ],
        }

    def switch(self, fault: str, *, on: bool) -> None:
        """Switch a fault of the simulator."""
        for one in self.answers["/faults"]:
            if one["fault"] == fault:
                one["active"] = [{"since": 1}] if on else []


@pytest.fixture
def services() -> Generator[tuple[Services, str]]:
    """The fakes and their URL."""
    fakes = Services()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            if self.command != "GET":
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                fakes.calls.append(f"{self.command} {path}")
                fakes.switch(path.removeprefix("/faults/"), on=self.command == "PUT")
            content = json.dumps(fakes.answers.get(path, {"since": 1.0, "at": 1.0})).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_PUT = do_DELETE = do_POST = do_GET  # noqa: N815 -- the names that http.server calls

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield fakes, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def guard() -> Guard:
    """The guard of the page."""
    return Guard(1)


@pytest.fixture
def page(services: tuple[Services, str], guard: Guard) -> Generator[str]:
    """URL of the start page."""
    _, url = services
    endpoints = dict.fromkeys(("alertmanager", "receiver", "grafana", "simulator-api"), url)
    with serve(Stack("local", endpoints, {"api": url}), guard, 0) as start:
        yield start.replace("localhost", "127.0.0.1")
