"""A target with a million series ends neither Prometheus, and somebody is told; real Prometheus and Alertmanager.

So it is with a target whose label is too long.
"""

import json
import re
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from alerting import loader
from alerting.model import AlertOverride, Links
from components.metrics import prometheus_config
from local.ports import free_ports
from settings import sizes
from tools.http_server import Handler, serving
from tools.programs import Server, eventually
from tools.rule_tests import alertmanager

LINKS = Links(runbook_base_url="https://runbooks.test", dashboard_base_url="https://grafana.test")
SCRAPES = 10
"""A server must survive more than the first one."""


def _server(folder: Path, targets: list[dict[str, Any]], alertmanagers: list[str], memory: int) -> tuple[Server, str]:
    folder.mkdir()
    document: dict[str, Any] = yaml.safe_load(
        prometheus_config.render(
            cluster="test",
            scrape_interval="1s",
            evaluation_interval="1s",
            alertmanagers=alertmanagers,
            target_samples=sizes.target_samples(memory),
        )
    )
    (pods,) = (job for job in document["scrape_configs"] if job["job_name"] == "pods")
    limits = {name: value for name, value in pods.items() if name.endswith("_limit")}
    document["scrape_configs"] = [{"job_name": "pods", "static_configs": targets, **limits}]
    soon = {"TargetDown": AlertOverride.model_validate({"for": "1s"})}
    rules = loader.render(loader.load(), soon, LINKS, interval="1s")
    (folder / "platform.yaml").write_text(rules["platform.yaml"])
    document["rule_files"] = [str(folder / "platform.yaml")]
    (folder / "prometheus.yml").write_text(json.dumps(document))  # YAML, too
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    arguments = [
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        *prometheus_config.FLAGS,
    ]
    # As in a pod with this limit: Prometheus' own defaults, instead of those of the tests.
    collections = {"GOGC": "75", "GOMEMLIMIT": str(memory * 9 // 10)}
    return Server("prometheus", arguments, folder, f"{url}/-/ready", {"POD_NAME": folder.name, **collections}), url


def _value(url: str, query: str) -> float:
    """The only result of a query; 0 without one."""
    answer = httpx.get(f"{url}/api/v1/query", params={"query": query}, timeout=60).raise_for_status().json()
    return max((float(one["value"][1]) for one in answer["data"]["result"]), default=0)


def _peak(server: Server) -> int:
    """Most bytes of memory that the program has had, with those of its files that were mapped."""
    assert server.process
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    (kilobytes,) = re.findall(r"^VmHWM:\s+(\d+) kB$", status, re.M)
    return int(kilobytes) * 1024


@pytest.mark.parametrize(
    ("series", "memory"),
    [
        (200_000, 256 * 2**20),
        pytest.param(1_000_000, 2**30, marks=pytest.mark.nightly),
    ],
)
def test_memory_is_bounded_and_somebody_is_told(
    tmp_path: Path, record_property: Callable[[str, object], None], series: int, memory: int
) -> None:
    endless = "".join(f'till_items{{item="{number}"}} 1\n' for number in range(series))
    long = f'till_open{{text="{"x" * 20_000}"}} 1\n'
    pages = {"/endless": endless, "/long": long, "/other": "till_open 1\n"}

    class Metrics(Handler):
        def respond(self) -> None:
            self.answer(200, pages[self.path].encode(), "text/plain; version=0.0.4")

    routes = alertmanager.document(mute_windows=False)
    with (
        serving(Metrics) as program,
        alertmanager.running(routes, tmp_path / "alertmanager") as told,
        ExitStack() as running,
    ):
        address = program.removeprefix("http://")
        labels = [{"namespace": "shop", "app": path[1:], "__metrics_path__": path} for path in pages]
        targets = [{"targets": [address], "labels": one} for one in labels]
        servers = [
            _server(tmp_path / f"prometheus-{number}", targets, [told.url.removeprefix("http://")], memory)
            for number in range(2)
        ]
        for server, _ in servers:
            running.enter_context(server)

        def notified() -> set[tuple[str, str]]:
            return {(alert["alertname"], alert.get("app", "")) for _, alert in told.notifications}

        refused = ("endless", "long")
        eventually(lambda: {("TargetDown", app) for app in refused} <= notified(), what="nobody is told")
        for _, url in servers:
            eventually(
                lambda at=url: _value(at, 'count_over_time(up{app="endless"}[1h])') >= SCRAPES, what="too few scrapes"
            )
            assert _value(url, f'max(max_over_time(up{{app=~"{"|".join(refused)}"}}[1h]))') == 0
            assert _value(url, 'min_over_time(up{app="other"}[1h])') == 1
        peaks = [_peak(server) for server, _ in servers]
    record_property("series", series)
    record_property("peak MiB", [peak // 2**20 for peak in peaks])
    assert ("TargetDown", "other") not in notified()
    assert max(peaks) < memory
