"""The running local cluster, as the tests see it."""

import fcntl
import json
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from kubernetes import client, config

from local.paths import KUBECONFIG, STATE
from local.toolchain import tool
from tests import programs

# Two drills at once would be told of each other's alerts, and a Loki that is killed evaluates none.
ONE_AT_A_TIME = ("test_fire_alerts", "test_kill_drill", "test_logs", "test_alert_smoke")


@pytest.fixture(scope="module", autouse=True)
def alone(request: pytest.FixtureRequest) -> Iterator[None]:
    """Modules that disturb each other wait for each other; with `--dist loadfile` each file has one worker."""
    if not request.node.nodeid.removesuffix(".py").endswith(ONE_AT_A_TIME):
        yield
        return
    with (STATE / "e2e.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


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


eventually = partial(programs.eventually, pause=1.0, not_yet=(Exception,))
"""The first true answer of a condition; fails with `what` when there is none in `seconds`."""
