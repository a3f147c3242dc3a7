"""A real Prometheus stores the API's counters under their own names, and its exemplars, in the format it negotiates."""

import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from local.ports import free_port
from local.toolchain import tool
from tests.mock_engine import ROOT
from tests.simulator.test_api import KNOWN, TRACE
from tools.programs import eventually


def data(url: str, **parameters: str) -> Any:
    """The data in an answer of Prometheus' API."""
    return httpx.get(url, params=parameters, timeout=5).raise_for_status().json()["data"]


def series(api: str, query: str) -> Any:
    """The result of a query."""
    return data(f"{api}/query", query=query)["result"]


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[str]:
    """URL of a Prometheus that scrapes an API pod. The pod has answered one known request."""
    pod_port, port = free_port(), free_port()
    config = {
        "global": {"scrape_interval": "1s", "scrape_native_histograms": True, "always_scrape_classic_histograms": True},
        "storage": {"exemplars": {"max_exemplars": 1000}},
        "scrape_configs": [{"job_name": "pods", "static_configs": [{"targets": [f"127.0.0.1:{pod_port}"]}]}],
    }
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    pod = subprocess.Popen(
        [sys.executable, "-m", "simulator"],
        cwd=ROOT,
        env={"SIMULATOR_ROLE": "api", "SIMULATOR_PORT": str(pod_port)},
        stdout=subprocess.DEVNULL,
    )
    server = subprocess.Popen(
        [
            tool("prometheus"),
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=data",
            "--enable-feature=exemplar-storage",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        cwd=tmp_path,
        stderr=subprocess.DEVNULL,
    )
    try:
        eventually(lambda: httpx.get(f"http://127.0.0.1:{pod_port}/healthz").is_success, what="the pod is not ready")
        assert httpx.get(f"http://127.0.0.1:{pod_port}/items/5", headers=KNOWN).is_success
        yield f"http://127.0.0.1:{port}/api/v1"
    finally:
        for process in (pod, server):
            process.terminate()
        for process in (pod, server):
            process.wait(30)


def test_counters_keep_their_names_and_have_exemplars(prometheus: str) -> None:
    for name in ("request_count", "response_status_count"):
        query = f'{name}{{project_id="probe", endpoint="/items/{{item_id}}"}}'
        found = eventually(partial(series, prometheus, query), what=f"no {name}")
        assert [one["value"][1] for one in found] == ["1"]
        assert series(prometheus, f"{name}_total") == []
    exemplar_query = partial(
        data,
        f"{prometheus}/query_exemplars",
        query='request_duration_seconds_bucket{project_id="probe"}',
        start=str(time.time() - 300),
        end=str(time.time() + 300),
    )
    exemplars = eventually(exemplar_query, what="no exemplar")
    assert {one["labels"]["trace_id"] for series in exemplars for one in series["exemplars"]} == {TRACE}
