"""Rules for every pod of every stack, on the mock engine: security, resources, probes, and references."""

from typing import Any

from components.kubernetes.pods import USERS
from settings.quantities import quantity_bytes
from tests.mock_engine import Recorded

# Only these pods do not meet the standard `restricted`, because they mount folders of their node.
AGENT, EVENTS = "otel-agent", "otel-events"
NODE_EXPORTER = "node-exporter"
# Programs of the simulator's image play programs of others.
SIMULATED = USERS["simulator"]


def test_pods_satisfy_restricted(stack: Recorded) -> None:
    assert len(stack.pods) >= 2
    for one in stack.pods:
        if one.object_name == AGENT:
            continue
        assert one.pod
        spec = one.pod["spec"]
        security = spec["securityContext"]
        assert security["runAsNonRoot"] is True, one.name
        assert security["runAsUser"] == security["fsGroup"], one.name
        assert security["runAsUser"] == USERS.get(one.object_name, SIMULATED), one.name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, one.name
        assert not spec.keys() & {"hostNetwork", "hostPID", "hostIPC"}, one.name
        mounted = [volume["hostPath"]["path"] for volume in spec.get("volumes", []) if "hostPath" in volume]
        assert mounted == (["/"] if one.object_name == NODE_EXPORTER else []), one.name
        for container in spec["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}


def test_no_two_programs_share_a_user(stack: Recorded) -> None:
    """A program of the same user on the same node could be read through /proc, with its memory and its files."""
    users: dict[int, set[str]] = {}
    for one in stack.pods:
        assert one.pod
        if one.object_name != AGENT:
            users.setdefault(one.pod["spec"]["securityContext"]["runAsUser"], set()).add(one.object_name)
    for job in stack.of("Job"):
        users.setdefault(job.inputs["spec"]["template"]["spec"]["securityContext"]["runAsUser"], set()).add("job")
    shared = {user: names for user, names in users.items() if len(names) > 1 and user != SIMULATED}
    assert shared == {}
    assert not users.get(SIMULATED, set()) & USERS.keys() - {"simulator"}
    assert len(set(USERS.values())) == len(USERS)


def test_no_pod_fills_the_disk_of_its_node(stack: Recorded) -> None:
    for one in stack.pods:
        assert one.pod
        limits = [container["resources"]["limits"]["ephemeral-storage"] for container in one.pod["spec"]["containers"]]
        folders = [volume["emptyDir"] for volume in one.pod["spec"].get("volumes", []) if "emptyDir" in volume]
        kept = [folder["sizeLimit"] for folder in folders if folder.get("medium") != "Memory"]
        assert sum(map(quantity_bytes, limits)) >= sum(map(quantity_bytes, kept)) + quantity_bytes("128Mi"), one.name


def test_the_agent_is_root_without_capabilities_in_its_own_namespace(stack: Recorded) -> None:
    (agent,) = [one for one in stack.pods if one.object_name == AGENT]
    assert agent.pod
    assert {one.object_name for one in stack.pods if one.namespace == agent.namespace} == {AGENT, NODE_EXPORTER}
    (container,) = agent.pod["spec"]["containers"]
    context = container["securityContext"]
    assert context["allowPrivilegeEscalation"] is False
    assert context["readOnlyRootFilesystem"] is True
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert not agent.pod["spec"].keys() & {"hostNetwork", "hostPID", "hostIPC"}
    folders = {v["name"]: v["hostPath"]["path"] for v in agent.pod["spec"]["volumes"] if "hostPath" in v}
    writable = {m["name"] for m in container["volumeMounts"] if m["name"] in folders and not m.get("readOnly")}
    own = f"/var/lib/otel-agent/{agent.namespace}"
    assert {folders[name] for name in writable} == {own}
    assert set(folders.values()) == {own, "/var/log/pods"}


def test_pods_have_requests_limits_and_probes(stack: Recorded) -> None:
    for container in _containers(stack):
        resources = container["resources"]
        assert resources["requests"]["cpu"]
        assert resources["requests"]["memory"] == resources["limits"]["memory"]
        if container["name"] == "monitor-reader":
            # Nobody connects to it, and a probe of it that fails would take Prometheus away.
            assert not container.keys() & {"ports", "startupProbe", "livenessProbe", "readinessProbe"}
            continue
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            named = {port["name"] for port in container["ports"]}
            (handler,) = container[probe].keys() & {"httpGet", "tcpSocket"}
            assert container[probe][handler]["port"] in named, (container["name"], probe)


def test_images_are_pinned(stack: Recorded) -> None:
    for container in _containers(stack):
        tag = container["image"].rpartition(":")[2]
        assert tag not in ("", "latest"), container["image"]


def test_pods_spread_over_nodes_and_zones(stack: Recorded) -> None:
    for one in stack.pods:
        if one.kind == "DaemonSet" or one.object_name in ("grafana", "kube-state-metrics", EVENTS):
            continue  # a DaemonSet runs on every node, and these never have more than one pod
        assert one.pod
        keys = {rule["topologyKey"]: rule["labelSelector"] for rule in one.pod["spec"]["topologySpreadConstraints"]}
        assert set(keys) == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
        assert all(_selects(rule["matchLabels"], one.pod) for rule in keys.values())


def test_only_clients_of_the_api_server_have_a_token(stack: Recorded) -> None:
    with_token = [one.object_name for one in stack.pods if one.pod and one.pod["spec"]["automountServiceAccountToken"]]
    assert sorted(with_token) == ["kube-state-metrics", AGENT, EVENTS, "prometheus"]
    assert all(account.inputs["automountServiceAccountToken"] is False for account in stack.of("ServiceAccount"))


def test_selectors_match_the_intended_pods(stack: Recorded) -> None:
    for workload in stack.pods:
        assert workload.pod
        assert _selects(workload.inputs["spec"]["selector"]["matchLabels"], workload.pod)
        assert "app.kubernetes.io/version" not in workload.inputs["spec"]["selector"]["matchLabels"]
    for service in stack.of("Service"):
        (target,) = _pods_in(stack, service.namespace, service.inputs["spec"]["selector"])
        ports = {port["name"] for port in target["spec"]["containers"][0]["ports"]}
        assert all(port.get("targetPort", port["name"]) in ports for port in service.inputs["spec"]["ports"])
    for policy in stack.of("NetworkPolicy"):
        if labels := policy.inputs["spec"]["podSelector"].get("matchLabels"):
            assert len(_pods_in(stack, policy.namespace, labels)) == 1, policy.name


def test_stateful_sets_have_their_headless_service(stack: Recorded) -> None:
    for one in stack.of("StatefulSet"):
        service = stack.one("Service", one.inputs["spec"]["serviceName"])
        assert service.inputs["spec"]["clusterIP"] == "None"
        assert service.inputs["spec"]["publishNotReadyAddresses"] is True
        assert service.inputs["spec"]["selector"] == one.inputs["spec"]["selector"]["matchLabels"]


def test_objects_that_pods_refer_to_exist_and_are_created_first(stack: Recorded) -> None:
    existing = {
        (one.kind, one.namespace, one.object_name): one.name
        for one in stack.resources
        if one.custom and "metadata" in one.inputs
    }
    for one in stack.pods:
        assert one.pod
        spec = one.pod["spec"]
        volumes = spec.get("volumes", [])
        wanted = [("ConfigMap", volume["configMap"]["name"]) for volume in volumes if "configMap" in volume]
        wanted += [("Secret", volume["secret"]["secretName"]) for volume in volumes if "secret" in volume]
        for kind, name in wanted:
            assert existing[kind, one.namespace, name] in one.dependencies, (one.name, name)
        if "serviceAccountName" in spec:
            assert ("ServiceAccount", one.namespace, spec["serviceAccountName"]) in existing
        mounted = {mount["name"] for container in spec["containers"] for mount in container.get("volumeMounts", [])}
        claims = {claim["metadata"]["name"] for claim in one.inputs["spec"].get("volumeClaimTemplates", [])}
        assert mounted == {volume["name"] for volume in volumes} | claims


def test_scraped_pods_can_be_reached_by_prometheus(stack: Recorded) -> None:
    for one in stack.pods:
        assert one.pod
        if one.name.startswith(("workspace-proxy", "page-gate")):  # callers count, and people see, what they answer
            continue
        annotations, labels = one.pod["metadata"]["annotations"], one.pod["metadata"]["labels"]
        assert annotations["prometheus.io/scrape"] == "true"
        port = int(annotations["prometheus.io/port"])
        policies = [
            policy
            for policy in stack.of("NetworkPolicy")
            if policy.namespace == one.namespace
            and policy.inputs["spec"]["podSelector"].get("matchLabels", {}).items()
            and _selects(policy.inputs["spec"]["podSelector"]["matchLabels"], {"metadata": {"labels": labels}})
        ]
        sources = [
            peer
            for policy in policies
            for rule in policy.inputs["spec"]["ingress"]
            if port in {entry["port"] for entry in rule["ports"]}
            for peer in rule["from"]
        ]
        assert any(
            peer.get("podSelector", {}).get("matchLabels") == {"app.kubernetes.io/name": "prometheus"}
            for peer in sources
        ), one.name


def test_replicated_workloads_have_a_budget(stack: Recorded) -> None:
    budgets = {
        (one.namespace, one.inputs["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"]): one.inputs["spec"]
        for one in stack.of("PodDisruptionBudget")
    }
    for one in stack.pods:
        if one.inputs["spec"].get("replicas", 1) > 1:
            budget = budgets[one.namespace, one.object_name]
            assert budget.get("maxUnavailable") == 1 or budget.get("minAvailable") == 1
    assert budgets["job-queue", "jq-worker"]["minAvailable"] == 1


def _containers(recorded: Recorded) -> list[dict[str, Any]]:
    return [container for one in recorded.pods if one.pod for container in one.pod["spec"]["containers"]]


def _selects(labels: dict[str, str], pod: dict[str, Any]) -> bool:
    return labels.items() <= pod["metadata"]["labels"].items()


def _pods_in(recorded: Recorded, namespace: str | None, labels: dict[str, str]) -> list[dict[str, Any]]:
    """The templates of workloads and of Jobs whose pods have these labels."""
    templates = [(one.namespace, one.pod) for one in recorded.pods]
    templates += [(one.namespace, one.inputs["spec"]["template"]) for one in recorded.of("Job")]
    return [pod for where, pod in templates if pod and where == namespace and _selects(labels, pod)]
