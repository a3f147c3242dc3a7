"""Fixtures: the service under test, and the servers of the stack that observe it."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from local.paths import KUBECONFIG
from ops.clients.kube import Cluster, Service, service_url, service_urls
from ops.drills.faults import PROGRAMS
from tests.e2e.conftest import all_pods

__all__ = ["all_pods"]

ARRIVES = 90
"""Seconds until a request shows in metrics, logs and traces, with a margin for a busy machine."""


@dataclass(frozen=True, kw_only=True)
class Api:
    """A service, and one of its paths that answers."""

    url: str
    path: str
    route: str

    def get(self, path: str, *headers: tuple[str, str]) -> httpx.Response:
        """The answer at this path. Asks again for up to a minute while the forward has to find another pod."""
        encoded = [(name.encode(), value.encode()) for name, value in headers]
        deadline = time.monotonic() + 60
        while True:
            try:
                return httpx.get(self.url + path, headers=encoded, timeout=30)
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(1)


@pytest.fixture(scope="session")
def api() -> Iterator[Api]:
    """The service at API_URL; without it, the API of the local stack."""
    path, route = os.environ.get("API_PATH", "/items/5"), os.environ.get("API_ROUTE", "/items/{item_id}")
    if named := os.environ.get("API_URL"):
        yield Api(url=named.rstrip("/"), path=path, route=route)
        return
    with service_url(cluster(), PROGRAMS["api"]) as url:
        yield Api(url=url, path=path, route=route)


@pytest.fixture(scope="session")
def stack() -> Iterator[dict[str, str]]:
    """URLs of Prometheus, Loki and Jaeger."""
    ports = {"prometheus": 9090, "loki": 3100, "jaeger": 16686}
    services = {name: Service(namespace="observability", name=name, port=port) for name, port in ports.items()}
    with service_urls(cluster(), **services) as urls:
        yield urls


def cluster() -> Cluster:
    """The cluster of `make up`."""
    if not KUBECONFIG.exists():
        pytest.fail("no stack runs here: make up, or name a service: API_URL=http://...")
    return Cluster(kubeconfig=KUBECONFIG)
