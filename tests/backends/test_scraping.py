"""Scraping as clusters are, by the real Prometheus with our configuration: paths with a query, endless series, IPv6.

A file with the labels that discovery would give stands for the cluster.
"""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from components.metrics import prometheus_config
from tests.backends.test_remote_write import Prometheus
from tools.http_server import Handler, serving
from tools.programs import eventually

LIMIT = 50
_POD = "__meta_kubernetes_pod_"


class _Program:
    """Serves metrics, and remembers the paths that it was asked for."""

    def __init__(self) -> None:
        self.paths: set[str] = set()
        self.url = ""


@pytest.fixture(scope="module")
def program() -> Iterator[_Program]:
    found = _Program()

    class Metrics(Handler):
        def respond(self) -> None:
            found.paths.add(self.path)
            series = LIMIT + 1 if "endless" in self.path else LIMIT - 10
            rows = [f'till_items{{item="{number}"}} 1' for number in range(series)]
            rows.append(f'till_long{{text="{"x" * 20_000}"}} 1')
            self.answer(200, "\n".join([*rows, ""]).encode(), "text/plain; version=0.0.4")

    with serving(Metrics) as found.url:
        yield found


def _target(program: _Program, pod: str, path: str, ip: str = "127.0.0.1") -> dict[str, Any]:
    port = urlsplit(program.url).port
    annotation = f"{_POD}annotation_prometheus_io_"
    meta = {"name": pod, "ip": ip, "phase": "Running", "node_name": "n", "label_app_kubernetes_io_name": pod}
    return {
        "targets": [f"{ip if ':' not in ip else f'[{ip}]'}:1"],
        "labels": {
            "__meta_kubernetes_namespace": "shop",
            **{f"{_POD}{name}": value for name, value in meta.items()},
            f"{annotation}scrape": "true",
            f"{annotation}port": str(port),
            f"{annotation}path": path,
        },
    }


@pytest.fixture(scope="module")
def prometheus(program: _Program, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("scraping")
    document = yaml.safe_load(
        prometheus_config.render(
            cluster="shop-eu",
            scrape_interval="1s",
            evaluation_interval="1s",
            alertmanagers=["127.0.0.1:9"],
            target_samples=LIMIT,
        )
    )
    (pods,) = (job for job in document["scrape_configs"] if job["job_name"] == "pods")
    targets = folder / "targets.json"
    targets.write_text(
        json.dumps(
            [
                _target(program, "plain", "/plain"),
                _target(program, "query", "/metrics/a?format=prometheus&collect=cpu"),
                _target(program, "endless", "/endless"),
            ]
        )
    )
    del pods["kubernetes_sd_configs"]
    server = Prometheus(folder / "server", {}, environment={"POD_NAME": "prometheus-0"})
    config = folder / "server" / "prometheus.yml"
    config.write_text(
        json.dumps(document | {"scrape_configs": [pods | {"file_sd_configs": [{"files": [str(targets)]}]}]})
    )
    with server:
        yield server


def test_a_path_may_have_a_query(prometheus: Prometheus, program: _Program) -> None:
    eventually(lambda: prometheus.series('up{pod="query"} == 1'), what="the target is not up")
    (asked,) = (path for path in program.paths if path.startswith("/metrics/a"))
    assert set(asked.removeprefix("/metrics/a?").split("&")) == {"format=prometheus", "collect=cpu"}
    eventually(lambda: "/plain" in program.paths, what="the path without a query is not asked for")


def test_a_target_with_endless_series_is_down_and_the_others_are_not(prometheus: Prometheus) -> None:
    """TargetDown is the alert on it."""
    eventually(lambda: prometheus.series('up{pod="endless"} == 0'), what="the target with too many series is up")
    eventually(lambda: prometheus.series('up{pod="plain"} == 1'), what="the other target is not up")
    assert not prometheus.series('till_items{pod="endless"}')
    # A value of any length is no reason to lose a target.
    assert len(prometheus.series('till_long{pod="plain"}')) == 1
