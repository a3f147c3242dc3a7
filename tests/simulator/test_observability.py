"""The telemetry tests in tests/observability pass with a single service and no cluster, as their README promises."""

import os
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from local.ports import free_port
from tests.mock_engine import ROOT
from tools.programs import eventually

ALONE = ("test_contract_metrics.py", "test_request_id.py")


@pytest.fixture
def api() -> Iterator[str]:
    """URL of the simulator's API, which runs as a process on this machine."""
    port = free_port()
    environment = {**os.environ, "SIMULATOR_ROLE": "api", "SIMULATOR_PORT": str(port)}
    environment.pop("OTEL_EXPORTER_OTLP_ENDPOINT", None)
    command = [sys.executable, "-m", "simulator"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as process:
        url = f"http://127.0.0.1:{port}"
        try:
            eventually(lambda: httpx.get(f"{url}/healthz").is_success, seconds=60, what="the API does not start")
            yield url
        finally:
            process.terminate()


def test_the_telemetry_tests_pass_without_a_cluster(api: str) -> None:
    files = [f"tests/observability/{name}" for name in ALONE]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files],
        cwd=ROOT,
        env={**os.environ, "API_URL": api},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout
