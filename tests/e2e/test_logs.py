"""Loki gets every line of a pod that writes while an agent, a gateway and Loki are killed one after another."""

import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from kubernetes import client

from components.collector.services import ANNOTATION
from local.paths import KUBECONFIG
from local.toolchain import tool
from settings import versions
from tests.e2e.conftest import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("kills"), pytest.mark.usefixtures("killer")]
Ask = Callable[[str, str, int, str], Any]
NAMESPACE, APP = "e2e-logs", "lines"
MOST = 4800
"""Number of lines in four minutes. Loki returns at most 5,000 in one answer."""
SCRIPT = f"""
import json, signal, time
signals = []
signal.signal(signal.SIGTERM, lambda number, _: signals.append(number))
for number in range({MOST}):
    print(json.dumps(dict(level="INFO", service="numbers", message=f"line {{number}}", operation="count")), flush=True)
    time.sleep(0.05)
    if signals:
        break
"""
END = ("exec", APP, "--", "python3", "-c", "import os, signal; os.kill(1, signal.SIGTERM)")
VICTIMS = (("observability-agent", "otel-agent"), ("observability", "otel-gateway"), ("observability", "loki"))


@pytest.fixture
def writer(core: client.CoreV1Api) -> Iterator[None]:
    """Runs the pod that writes the lines, in its own namespace."""
    namespace: Any = {"metadata": {"name": NAMESPACE}}
    core.create_namespace(namespace)
    container: dict[str, Any] = {
        "name": APP,
        "image": versions.SIMULATOR_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-c", SCRIPT],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65534, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    # The lines name a service that is not the pod's app.
    metadata = {"name": APP, "labels": {"app.kubernetes.io/name": APP}, "annotations": {ANNOTATION: "numbers"}}
    pod: Any = {"metadata": metadata, "spec": spec}
    try:
        eventually(
            lambda: core.create_namespaced_pod(NAMESPACE, pod),
            seconds=30,
            what="the pod is not accepted",
        )
        yield
    finally:
        core.delete_namespace(NAMESPACE)


def _pods(core: client.CoreV1Api, namespace: str, app: str) -> list[Any]:
    return core.list_namespaced_pod(namespace, label_selector=f"app.kubernetes.io/name={app}").items


def _ready(pod: Any) -> bool:
    conditions = pod.status.conditions or []
    return pod.metadata.deletion_timestamp is None and any(c.type == "Ready" and c.status == "True" for c in conditions)


def _phase(core: client.CoreV1Api) -> str:
    pod: Any = core.read_namespaced_pod(APP, NAMESPACE)
    return pod.status.phase


def test_no_line_is_lost_while_agent_gateway_and_loki_are_killed(
    core: client.CoreV1Api, ask: Ask, writer: None, record_property: Callable[[str, object], None]
) -> None:
    del writer
    begin = time.time_ns()
    eventually(lambda: _phase(core) == "Running", seconds=60, what="the pod does not run")
    query = {
        "query": f'{{namespace="{NAMESPACE}", app="{APP}", service="numbers"}}',
        "start": begin - 60_000_000_000,
        "limit": 5000,
        "direction": "forward",
    }

    def lines() -> Counter[str]:
        query["end"] = time.time_ns()
        answer = ask("observability", "loki-0", 3100, f"/loki/api/v1/query_range?{urlencode(query)}")
        return Counter(line for stream in answer["data"]["result"] for _, line in stream["values"])

    eventually(lines, seconds=60, what="no line arrives")
    for namespace, app in VICTIMS:
        pods = _pods(core, namespace, app)
        before, victim = {pod.metadata.uid for pod in pods}, pods[0].metadata
        # One second is too short for the gateway to end by itself, so it is killed.
        core.delete_namespaced_pod(victim.name, namespace, grace_period_seconds=1)

        def back(namespace: str = namespace, app: str = app, before: set[str] = before) -> bool:
            now = _pods(core, namespace, app)
            return len(now) == len(before) and {p.metadata.uid for p in now} != before and all(_ready(p) for p in now)

        eventually(back, seconds=120, what=f"{app} does not come back")
    assert _phase(core) == "Running", (
        "the pod ended before the last killed pod was ready again, so this test proves nothing"
    )
    subprocess.run([tool("kubectl"), f"--kubeconfig={KUBECONFIG}", f"--namespace={NAMESPACE}", *END], check=True)
    eventually(lambda: _phase(core) == "Succeeded", seconds=300, what="the pod does not end")
    written = core.read_namespaced_pod_log(APP, NAMESPACE).splitlines()
    assert f"line {len(written) - 1}" in written[-1], "the kubelet's log is incomplete"
    eventually(lambda: len(lines()) >= len(written), seconds=120, what=f"of {len(written)} lines some are missing")
    counts = lines()
    assert set(counts) == set(written)
    record_property("repeated", sum(counts.values()) - len(written))
