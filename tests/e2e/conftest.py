"""The running local cluster, as the tests see it, and which tests may run side by side on it."""

import fcntl
import json
import subprocess
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from kubernetes import client, config

from local.paths import KUBECONFIG, STATE
from local.toolchain import tool
from tools import programs

FIRST = (
    # The drill waits for minutes until its alerts are over.
    *("test_fire_alerts", "test_alert_smoke"),
    # These take as long, and have a cluster, or objects, of their own.
    *("test_lifecycle", "test_cluster", "test_provider", "test_killed_engine"),
)
LAST = (
    # Needs every pod of the platform, and so runs before the next ones.
    *("test_quickstart", "test_traces", "test_correlation", "test_e2e_metrics_logs", "test_platform"),
    # Kills pods of the platform: waits until the drill's faults and the ones above are over.
    *("test_kill_drill", "test_logs"),
)
"""Files in the order in which workers get them: `FIRST`, all other files, `LAST`."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Orders the tests on the cluster; a worker gets a file, or the files of one group (tests/scheduling.py)."""
    here = [item for item in items if item.get_closest_marker("e2e")]
    here.sort(key=lambda item: _place(item.path.stem))
    items[:] = [item for item in items if not item.get_closest_marker("e2e")] + here


def _place(file: str) -> int:
    if file in FIRST:
        return FIRST.index(file)
    return len(FIRST) + (1 + LAST.index(file) if file in LAST else 0)


@contextmanager
def pods_stay() -> Generator[Callable[[], None]]:
    """No test kills a pod of the platform during the block, or until the function that it gives is called."""
    with _locked(fcntl.LOCK_SH) as free:
        yield free


@contextmanager
def _locked(how: int) -> Generator[Callable[[], None]]:
    if not KUBECONFIG.exists():
        pytest.fail("the local cluster does not run: make up")
    with (STATE / "e2e.lock").open("w") as handle:
        fcntl.flock(handle, how)
        yield lambda: fcntl.flock(handle, fcntl.LOCK_UN)


@pytest.fixture(scope="module")
def all_pods() -> Iterator[None]:
    """No other test kills a pod of the platform while this module runs."""
    with pods_stay():
        yield


@pytest.fixture(scope="module")
def killer() -> Iterator[None]:
    """This module kills pods: it waits for all that need them, and has them for itself."""
    with _locked(fcntl.LOCK_EX):
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
