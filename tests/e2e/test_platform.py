"""The running local platform: its pods are ready, restricted and scraped, and only allowed clients reach it."""

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import quote

import pytest
from kubernetes import client

from alerting.loader import load
from settings import versions
from tests.e2e.conftest import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("all_pods")]
Ask = Callable[[str, str, int, str], Any]
PODS = {
    # prometheus 2, alertmanager 3, loki 1, jaeger 1, otel-gateway 2, otel-events 1, kube-state-metrics 1
    "observability": 11,
    # otel-agent and node-exporter, one of each on every node
    "observability-agent": 2,
    "job-queue": 3,
    "speccursor": 1,
    "api": 1,
    # media-upload 1, sploot-cluster 1
    "media": 2,
    "platform-faults": 1,
    "receiver": 1,
}
RESTRICTED = [name for name in PODS if name != "observability-agent"]
REPLICAS = {"prometheus": 2, "alertmanager": 3}
SIMULATED = {
    "job-queue": "jq_queue_depth",
    "speccursor": "active_jobs",
    "media": "media_cluster_pending_jobs",
    "api": "request_duration_seconds_count",
    # This pod exposes series only while a fault is on.
    "platform-faults": 'up{namespace="platform-faults"}',
}
"""Maps a namespace to a metric of its pods."""


@pytest.mark.parametrize("namespace", PODS)
def test_every_pod_is_ready_and_the_count_is_right(core: client.CoreV1Api, namespace: str) -> None:
    def all_ready() -> bool:
        pods = [
            pod
            for pod in core.list_namespaced_pod(namespace).items
            # Grafana runs only if GRAFANA_HOME is set.
            if (pod.metadata.labels or {}).get("app.kubernetes.io/name") != "grafana"
        ]
        assert len(pods) == PODS[namespace]
        return all(any(c.type == "Ready" and c.status == "True" for c in pod.status.conditions) for pod in pods)

    # On a busy machine, a late answer to one probe can make a pod unready for a moment.
    eventually(all_ready, seconds=60, what=f"not every pod of {namespace} is ready")


@pytest.mark.parametrize("name", RESTRICTED)
def test_namespaces_enforce_restricted(core: client.CoreV1Api, name: str) -> None:
    assert core.read_namespace(name).metadata.labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_api_server_really_refuses_a_root_pod(core: client.CoreV1Api) -> None:
    pod = {"metadata": {"name": "root"}, "spec": {"containers": [{"name": "root", "image": versions.SIMULATOR_IMAGE}]}}
    with pytest.raises(client.ApiException, match="violates PodSecurity"):
        core.create_namespaced_pod("observability", pod, dry_run="All")


@pytest.mark.parametrize("namespace", SIMULATED)
@pytest.mark.parametrize("replica", range(REPLICAS["prometheus"]))
def test_each_prometheus_scrapes_every_simulator_pod(
    core: client.CoreV1Api, ask: Ask, replica: int, namespace: str
) -> None:
    pods = {p.metadata.name for p in core.list_namespaced_pod(namespace).items}

    def scraped() -> set[str]:
        answer = ask("observability", f"prometheus-{replica}", 9090, "/api/v1/targets?state=active")
        targets = answer["data"]["activeTargets"]
        return {
            t["labels"]["pod"] for t in targets if t["health"] == "up" and t["labels"].get("namespace") == namespace
        }

    eventually(lambda: scraped() == pods, seconds=60, what=f"targets of prometheus-{replica} are not {pods}")
    query = quote(f"count({SIMULATED[namespace]})")
    answer = ask("observability", f"prometheus-{replica}", 9090, f"/api/v1/query?query={query}")
    assert int(answer["data"]["result"][0]["value"][1]) > 0


@pytest.mark.parametrize("replica", range(REPLICAS["prometheus"]))
def test_each_prometheus_knows_every_alertmanager(ask: Ask, replica: int) -> None:
    answer = ask("observability", f"prometheus-{replica}", 9090, "/api/v1/alertmanagers")
    assert len(answer["data"]["activeAlertmanagers"]) == REPLICAS["alertmanager"]


@pytest.mark.parametrize("replica", range(REPLICAS["alertmanager"]))
def test_each_alertmanager_sees_all_its_peers(ask: Ask, replica: int) -> None:
    status = ask("observability", f"alertmanager-{replica}", 9093, "/api/v2/status")
    assert len(status["cluster"]["peers"]) == REPLICAS["alertmanager"]


@pytest.mark.parametrize("replica", range(REPLICAS["prometheus"]))
def test_no_rule_fails_and_all_are_loaded(ask: Ask, replica: int) -> None:
    groups = ask("observability", f"prometheus-{replica}", 9090, "/api/v1/rules")["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    expected = {name for name, rule in load().rules().items() if rule.engine == "prometheus"}
    assert {rule["name"] for rule in rules if rule["type"] == "alerting"} == expected
    assert [(rule["name"], rule["lastError"]) for rule in rules if rule.get("lastError")] == []


def test_no_token_lets_another_node_join(core: client.CoreV1Api) -> None:
    found = core.list_namespaced_secret("kube-system", field_selector="type=bootstrap.kubernetes.io/token")
    assert [one.metadata.name for one in found.items] == []


def test_disruption_budgets_allow_one_disruption_at_a_time(core: client.CoreV1Api) -> None:
    budgets = client.PolicyV1Api(core.api_client).list_pod_disruption_budget_for_all_namespaces().items
    allowed = {b.metadata.name: b.status.disruptions_allowed for b in budgets}
    assert allowed == {
        "prometheus": 1,
        "alertmanager": 1,
        "loki": 1,
        "jaeger": 1,
        "otel-gateway": 1,
        "jq-worker": 1,
        # sploot-cluster has one pod, which a drain may move; the other two have no pods in this stack.
        "sploot-cluster": 1,
        "rust-worker": 0,
        "variant-generator": 0,
    }


# A network policy that allows a new pod takes effect a moment after the pod starts, so the probe repeats its attempts.
# A policy that denies it applies from the beginning.
PROBE = """
import json, socket, time
begun = time.time()
reached = {}
for _ in range(8):
    for name, port in (("prometheus", 9090), ("loki", 3100), ("alertmanager", 9093), ("jaeger", 16686)):
        try:
            socket.create_connection((f"{name}.observability.svc", port), timeout=2).close()
        except OSError:
            continue
        reached.setdefault(name, []).append(f"after {time.time() - begun:.1f} s")
    time.sleep(1)
print(json.dumps(reached))
"""


STRANGERS = {
    "without a policy that allows it": ({}, []),
    # These show that the first one fails because of the missing label, and not for another reason.
    "from a namespace that may read": ({"observability/access": "true"}, ["jaeger"]),
    "from a namespace that may also write": ({"observability/control": "true"}, ["alertmanager", "loki", "prometheus"]),
}
"""Maps each client to the labels of its namespace, and to the servers that it reaches."""


@pytest.fixture(scope="module", autouse=True)
def strangers(core: client.CoreV1Api) -> Iterator[dict[str, str]]:
    """Maps each client to its namespace. The probes start at once, and the last tests read their results."""
    container = {"name": "probe", "image": versions.SIMULATOR_IMAGE, "command": ["python3", "-c", PROBE]}
    spec = {"restartPolicy": "Never", "automountServiceAccountToken": False, "containers": [container]}
    found: dict[str, str] = {}
    try:
        for number, (who, (labels, _)) in enumerate(STRANGERS.items()):
            found[who] = name = f"e2e-stranger-{int(time.time())}-{number}"
            core.create_namespace({"metadata": {"name": name, "labels": labels}})
            pod = {"metadata": {"name": "probe"}, "spec": spec}
            eventually(partial(core.create_namespaced_pod, name, pod), seconds=30, what="the probe is not accepted")
        yield found
    finally:
        for name in found.values():
            core.delete_namespace(name)


@pytest.mark.parametrize("who", STRANGERS)
def test_only_clients_with_access_reach_what_they_may_read(
    core: client.CoreV1Api, strangers: dict[str, str], who: str
) -> None:
    namespace = strangers[who]

    def ended() -> bool:
        return core.read_namespaced_pod("probe", namespace).status.phase in ("Succeeded", "Failed")

    eventually(ended, seconds=180, what="the probe did not end")
    pod = core.read_namespaced_pod("probe", namespace)
    reached = json.loads(core.read_namespaced_pod_log("probe", namespace))
    assert sorted(reached) == STRANGERS[who][1], f"{pod.status.pod_ip} from {pod.status.start_time} on: {reached}"
