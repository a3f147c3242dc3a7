"""The real Prometheus with our configuration copies its samples: to a second Prometheus, and by the proxy to AWS.

What it scrapes is replaced, for there is no cluster here: it asks itself.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from components.eks.workspace import workspace_proxy
from components.metrics import prometheus_config
from local.ports import free_port
from tests.backends.pod_identity import agent
from tools.http_server import Handler, serving
from tools.programs import Server, eventually

REGION = "eu-central-1"


class Prometheus(Server):
    """One server; with `document` as its configuration, or an empty one."""

    def __init__(
        self, folder: Path, document: dict[str, Any], *flags: str, environment: dict[str, str] | None = None
    ) -> None:
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        for scrape in document.get("scrape_configs", []):
            scrape["static_configs"] = [{"targets": [self.address]}]
        folder.mkdir(parents=True)
        config = folder / "prometheus.yml"
        config.write_text(json.dumps(document))  # YAML, too
        super().__init__(
            "prometheus",
            [
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={self.address}",
                *flags,
            ],
            folder,
            f"http://{self.address}/-/ready",
            environment or {},
        )

    def series(self, query: str) -> list[dict[str, str]]:
        """Labels of what it answers."""
        return [one["metric"] for one in self._answer(query)]

    def times(self, series: str) -> list[float]:
        """Unix times of the samples of a series; empty if there is none."""
        return [time for one in self._answer(f"{series}[1h]") for time, _ in one["values"]]

    def _answer(self, query: str) -> list[dict[str, Any]]:
        url = f"http://{self.address}/api/v1/query"
        return httpx.get(url, params={"query": query}, timeout=30).raise_for_status().json()["data"]["result"]


def configuration(**more: Any) -> dict[str, Any]:
    """A stack's configuration with short intervals and an Alertmanager that does not exist; `more` as for render."""
    text = prometheus_config.render(
        cluster="shop-eu", scrape_interval="1s", evaluation_interval="1s", alertmanagers=["127.0.0.1:9"], **more
    )
    return yaml.safe_load(text)


def _writer(folder: Path, url: str) -> Prometheus:
    """One with the configuration of a stack with this remote write URL."""
    document = configuration(remote_write_url=url)
    document["scrape_configs"] = [{"job_name": "itself"}]
    return Prometheus(folder, document, environment={"POD_NAME": "prometheus-1"})


@contextmanager
def _proxy(folder: Path, port: int, workspace: str, environment: dict[str, str]) -> Generator[None]:
    """The workspace proxy as in its pod, which takes writes on this port, and ends when it is told to."""
    (folder / "signing").mkdir(parents=True)
    for file in workspace_proxy.PROGRAMS:
        shutil.copy(file, folder / "signing")
    variables = {"WORKSPACE": workspace, "REGION": REGION, "WRITE_PORT": str(port), "QUERY_PORT": str(free_port())}
    program = subprocess.Popen(
        [sys.executable, "-m", "signing.proxy"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], **variables, **environment},
    )
    try:
        yield
    finally:
        program.terminate()
        assert program.wait(timeout=60) == 0


def test_samples_arrive_at_a_second_prometheus(tmp_path: Path) -> None:
    with Prometheus(tmp_path / "receiver", {}, "--web.enable-remote-write-receiver") as receiver:
        writer = _writer(tmp_path / "writer", f"http://{receiver.address}/api/v1/write")
        with writer:
            (series,) = eventually(
                lambda: receiver.series('up{job="itself"}'), what="no sample arrives at the second Prometheus"
            )
            sent = eventually(
                lambda: writer.series("prometheus_remote_storage_samples_total > 0"), what="nothing is counted as sent"
            )
    assert series == {
        "__name__": "up",
        "instance": writer.address,
        "job": "itself",
        "cluster": "shop-eu",
        # The two by which servers that store for many take one of the replicas; the other is `cluster`.
        "__replica__": "prometheus-1",
    }
    # As the alert PrometheusRemoteWriteBehind and the dashboards know it.
    assert {one["remote_name"] for one in sent} == {"long-term"}


def test_a_server_starts_without_aws_and_sends_later_what_waited(tmp_path: Path) -> None:
    """First there is no proxy, then AWS refuses its identity; both end, and no sample is missing."""
    port, refusals = free_port(), [403, 403, 500]
    with Prometheus(tmp_path / "receiver", {}, "--web.enable-remote-write-receiver") as receiver:

        class Workspace(Handler):
            def respond(self) -> None:
                if refusals:
                    self.body()
                    self.answer(refusals.pop())
                    return
                assert self.path == "/workspaces/ws-1/api/v1/remote_write"
                assert self.headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/")
                names = ("Content-Type", "Content-Encoding", "X-Prometheus-Remote-Write-Version")
                headers = {name: self.headers[name] for name in names}
                url = f"http://{receiver.address}/api/v1/write"
                self.answer(httpx.post(url, content=self.body(), headers=headers, timeout=30).status_code)

        with (
            serving(Workspace) as workspace,
            agent(tmp_path, "AKIAEXAMPLE", "hush-hush-hush") as node,
            _writer(tmp_path / "writer", f"http://127.0.0.1:{port}/api/v1/remote_write") as writer,
        ):
            first, *_ = eventually(lambda: writer.times('up{job="itself"}'), what="it does not scrape")
            with _proxy(tmp_path / "proxy", port, f"{workspace}/workspaces/ws-1", node.environment):
                times = eventually(lambda: receiver.times('up{job="itself"}'), what="no sample arrives")
    assert not refusals
    assert times[0] == first
