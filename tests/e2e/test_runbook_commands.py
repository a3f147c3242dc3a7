"""A person who is paged can run what the runbooks say as it stands: here on the running stack, with its names."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from kubernetes import client

from local.paths import KUBECONFIG
from local.toolchain import tool
from ops.clients.kube import Cluster, Service, service_urls
from tests import runbook_pages as runbooks

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("all_pods")]

NAMESPACE = "observability"


@pytest.fixture(scope="module")
def names(core: client.CoreV1Api) -> runbooks.Names:
    pod: Any = core.read_namespaced_pod("prometheus-0", NAMESPACE)
    claim: Any = core.list_namespaced_persistent_volume_claim(NAMESPACE).items[0]
    return runbooks.Names(
        pod="prometheus-0",
        container=pod.spec.containers[0].name,
        claim=claim.metadata.name,
        volume=claim.spec.volume_name,
        node=pod.spec.node_name,
    )


def test_every_command_runs(names: runbooks.Names) -> None:
    kubectl = f'kubectl() {{ "{tool("kubectl")}" "$@"; }}\n'

    def problem(command: str) -> str:
        done = subprocess.run(
            ["sh", "-c", kubectl + runbooks.filled(command, names)],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env=os.environ | {"KUBECONFIG": str(KUBECONFIG)},
        )
        # `grep` that finds nothing fails without a word.
        if done.returncode == 0 or (" | grep " in command and not done.stderr) or runbooks.expected(done.stderr):
            return ""
        return f"{command}: {done.stderr}"

    with ThreadPoolExecutor(max_workers=2) as pool:
        found = list(pool.map(problem, runbooks.commands()))
    assert len(found) > 100
    assert [said for said in found if said] == []


@pytest.mark.parametrize(
    ("language", "program", "port", "path"),
    [
        ("promql", "prometheus", 9090, "/api/v1/query"),
        ("logql", "loki", 3100, "/loki/api/v1/query_range"),
    ],
)
def test_every_query_is_answered(names: runbooks.Names, language: str, program: str, port: int, path: str) -> None:
    found = list(runbooks.queries(language))
    assert len(found) > 40
    service = Service(namespace=NAMESPACE, name=program, port=port)
    with service_urls(Cluster(kubeconfig=KUBECONFIG), program=service) as urls:
        for query in found:
            answer = httpx.get(
                urls["program"] + path, params={"query": runbooks.filled(query, names), "limit": 1}, timeout=60
            )
            assert answer.json()["status"] == "success", query
