"""Fixtures of the program that reads monitors."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.metrics import monitor_jobs
from tests.components.metrics.monitors.api import Cluster
from tests.components.metrics.monitors.cases import LISTED, MEMORY, PLATFORM
from tools.http_server import Handler, serving


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    found = Cluster()

    class Api(Handler):
        def respond(self) -> None:
            status, body = found.answer(self.path, self.headers["Authorization"])
            if not found.wait:
                self.answer(status, body)
                return
            self.send_response(status)
            self.end_headers()
            for at in range(len(body)):
                self.wfile.write(body[at : at + 1])
                self.wfile.flush()
                time.sleep(found.wait)

    with serving(Api) as found.url:
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    common = monitor_jobs.render(
        scrape_interval="30s",
        memory=MEMORY,
        platform_namespaces=PLATFORM,
        listed_namespaces=[LISTED],
        foreign_node_exporter=False,
    )
    (tmp_path / "common.json").write_text(common)
    (tmp_path / "token").write_text("first\n")
    return tmp_path
