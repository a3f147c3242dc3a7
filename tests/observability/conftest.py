"""The service that is asked, and the stack around it."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from local.paths import KUBECONFIG
from ops.clients.kube import Cluster, Service, service_url, service_urls
from ops.drills.faults import PROGRAMS
from tests.e2e.conftest import all_pods

__all__ = ["all_pods"]

ARRIVES = 90
"""Seconds from a request to its number, line and trace, with room for a busy machine."""


@dataclass(frozen=True, kw_only=True)
class Api:
    """A service, and a path of it that answers."""

    url: str
    path: str
    route: str


@pytest.fixture(scope="session")
def api() -> Iterator[Api]:
    """API_URL's service, else the local stack's."""
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
