"""Fixtures for tests on the running local cluster, and the locks that let them share it."""

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


@contextmanager
def pods_stay() -> Generator[Callable[[], None]]:
    """Keeps other tests from killing pods of the platform during the block, or until the given function is called."""
    with _locked(fcntl.LOCK_SH) as release:
        yield release


@contextmanager
def _locked(how: int) -> Generator[Callable[[], None]]:
    if not KUBECONFIG.exists():
        pytest.fail("the local cluster does not run: make up")
    with (STATE / "e2e.lock").open("w") as handle:
        fcntl.flock(handle, how)
        yield lambda: fcntl.flock(handle, fcntl.LOCK_UN)


@pytest.fixture(scope="module")
def all_pods() -> Iterator[None]:
    """Keeps other tests from killing pods of the platform while the module runs."""
    with pods_stay():
        yield


@pytest.fixture(scope="module")
def killer() -> Iterator[None]:
    """For a module that kills pods: waits for all tests that need them, and keeps others from starting."""
    with _locked(fcntl.LOCK_EX):
        yield


@pytest.fixture(scope="session")
def core() -> client.CoreV1Api:
    """A client of the cluster that `make up` started."""
    if not KUBECONFIG.exists():
        pytest.fail("the local cluster does not run: make up")
    config.load_kube_config(str(KUBECONFIG))
    return client.CoreV1Api()


@pytest.fixture(scope="session")
def ask() -> Callable[[str, str, int, str], Any]:
    """`ask(namespace, pod, port, path)` requests a path of one pod through the API server.

    Gives parsed JSON, or the text if the answer is not JSON.
    """

    def get(namespace: str, pod: str, port: int, path: str) -> Any:
        resource = f"/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy{path}"
        command = [tool("kubectl"), f"--kubeconfig={KUBECONFIG}", "get", "--raw", resource]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return json.loads(text) if text.startswith(("{", "[")) else text

    return get


eventually = partial(programs.eventually, pause=1.0, not_yet=(Exception,))
"""Gives the first true result of a condition; fails with `what` if there is none within `seconds`."""
