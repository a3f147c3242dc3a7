"""The running local cluster, as the tests see it."""

import json
import subprocess
import time
from collections.abc import Callable
from typing import Any

import pytest
from kubernetes import client, config

from local.paths import KUBECONFIG
from local.toolchain import tool


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Two workers: one drills alerts and waits until they resolve, the other runs all the rest in order."""
    for item in items:
        if "tests/e2e/" in item.nodeid:
            # Two drills at once would be told of each other's alerts, and a Loki that is killed evaluates none.
            drills = ("test_fire_alerts", "test_kill_drill", "test_logs")
            group = "drills" if any(name in item.nodeid for name in drills) else "rest"
            item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def core() -> client.CoreV1Api:
    """The cluster that `make up` left running."""
    if not KUBECONFIG.exists():
        pytest.fail("the local cluster does not run: make up")
    config.load_kube_config(str(KUBECONFIG))
    return client.CoreV1Api()


@pytest.fixture(scope="session")
def ask() -> Callable[[str, str, int, str], Any]:
    """GET from one pod through the API server; gives parsed JSON, or text when it is none."""

    def get(namespace: str, pod: str, port: int, path: str) -> Any:
        resource = f"/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy{path}"
        command = [tool("kubectl"), f"--kubeconfig={KUBECONFIG}", "get", "--raw", resource]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return json.loads(text) if text.startswith(("{", "[")) else text

    return get


def eventually(condition: Callable[[], Any], *, seconds: float, what: str) -> Any:
    """The first true answer of `condition`; fails with `what` when there is none in time."""
    deadline = time.monotonic() + seconds
    last: Any = None
    while time.monotonic() < deadline:
        try:
            last = condition()
            if last:
                return last
        except Exception as error:  # not yet there; the last one is part of the failure
            last = error
        time.sleep(1)
    return pytest.fail(f"{what}; last answer after {seconds:.0f} s: {last!r}")
