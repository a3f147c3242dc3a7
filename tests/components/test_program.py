"""The whole program on the mock engine: what holds for every resource, whichever component made it."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.mock_engine import SECRETS, STACKS, Recorded

Program = Callable[..., Recorded]
_RUNS: dict[tuple[str, bool], Recorded] = {}
NAMESPACED = {
    "ConfigMap",
    "Deployment",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "Secret",
    "Service",
    "ServiceAccount",
    "StatefulSet",
}


@pytest.fixture(params=STACKS)
def stack(request: pytest.FixtureRequest, program: Program, preview: bool) -> Recorded:
    """Each stack, as an update and as a preview. Tests only read it, so one run serves them all."""
    key = (request.param, preview)
    if key not in _RUNS:
        _RUNS[key] = program(request.param, preview=preview)
    return _RUNS[key]


def test_every_kubernetes_object_uses_the_explicit_provider(stack: Recorded) -> None:
    objects = [one for one in stack.resources if one.type.startswith("kubernetes:")]
    assert len(objects) > 15
    assert [one.name for one in objects if "::cluster::" not in one.provider] == []


def test_provider_keeps_replacements_away(stack: Recorded) -> None:
    (provider,) = [one for one in stack.resources if one.type == "pulumi:providers:kubernetes"]
    assert provider.inputs["enableConfigMapMutable"] == "true"
    assert provider.inputs["enableSecretMutable"] == "true"
    assert provider.inputs["clusterIdentifier"]
    assert "deleteUnreachable" not in provider.inputs


def test_components_are_typed_and_register_outputs(stack: Recorded) -> None:
    components = [one for one in stack.resources if not one.custom]
    assert all(one.type.startswith("observability:index:") for one in components)
    assert {one.name for one in components} == set(stack.outputs)
    assert all(stack.outputs[one.name] for one in components)


def test_every_object_belongs_to_a_component_and_is_named_after_it(stack: Recorded) -> None:
    components = {one.name for one in stack.resources if not one.custom}
    for one in stack.resources:
        if one.custom and not one.type.startswith("pulumi:providers:"):
            assert one.parent in components, one.name
            assert one.name.startswith(f"{one.parent}-"), one.name


def test_names_are_unique(stack: Recorded) -> None:
    logical = [(one.type, one.name) for one in stack.resources]
    assert len(set(logical)) == len(logical)
    physical = [(one.kind, one.namespace, one.object_name) for one in stack.resources if "metadata" in one.inputs]
    assert len(set(physical)) == len(physical)


def test_objects_have_namespace_and_labels(stack: Recorded) -> None:
    for one in stack.resources:
        if "metadata" in one.inputs:
            assert (one.kind in NAMESPACED) == bool(one.namespace), one.name
            labels = one.inputs["metadata"]["labels"]
            assert labels["app.kubernetes.io/part-of"] == "observability", one.name
            assert labels["app.kubernetes.io/managed-by"] == "pulumi", one.name
            assert labels["app.kubernetes.io/name"], one.name


def test_namespaces_come_before_what_is_in_them(stack: Recorded) -> None:
    made = {one.object_name: one.name for one in stack.of("Namespace") if one.custom}
    for one in stack.resources:
        if one.custom and "metadata" in one.inputs and one.namespace in made:
            assert made[one.namespace] in one.dependencies, one.name


def test_pods_satisfy_restricted(stack: Recorded) -> None:
    assert len(stack.pods) >= 2
    for one in stack.pods:
        assert one.pod
        spec = one.pod["spec"]
        security = spec["securityContext"]
        assert security["runAsNonRoot"] is True, one.name
        assert security["runAsUser"] == security["fsGroup"] == 65534, one.name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, one.name
        assert not spec.keys() & {"hostNetwork", "hostPID", "hostIPC"}, one.name
        assert not [volume for volume in spec["volumes"] if "hostPath" in volume], one.name
        for container in spec["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}


def test_namespaces_enforce_restricted_and_deny(stack: Recorded) -> None:
    namespaces = [one for one in stack.of("Namespace") if one.custom]
    for one in namespaces:
        assert one.inputs["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
        (deny,) = [
            policy
            for policy in stack.of("NetworkPolicy")
            if policy.namespace == one.object_name and policy.inputs["spec"]["podSelector"] == {}
        ]
        spec = deny.inputs["spec"]
        assert sorted(spec["policyTypes"]) == ["Egress", "Ingress"]
        assert not spec.get("ingress")
        assert {port["port"] for rule in spec["egress"] for port in rule["ports"]} == {53}


def test_pods_have_requests_limits_and_probes(stack: Recorded) -> None:
    for container in _containers(stack):
        resources = container["resources"]
        assert resources["requests"]["cpu"]
        assert resources["requests"]["memory"] == resources["limits"]["memory"]
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            named = {port["name"] for port in container["ports"]}
            assert container[probe]["httpGet"]["port"] in named, (container["name"], probe)


def test_images_are_pinned(stack: Recorded) -> None:
    for container in _containers(stack):
        tag = container["image"].rpartition(":")[2]
        assert tag not in ("", "latest"), container["image"]


def test_pods_spread_over_nodes_and_zones(stack: Recorded) -> None:
    for one in stack.pods:
        assert one.pod
        keys = {rule["topologyKey"]: rule["labelSelector"] for rule in one.pod["spec"]["topologySpreadConstraints"]}
        assert set(keys) == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
        assert all(_selects(rule["matchLabels"], one.pod) for rule in keys.values())


def test_only_prometheus_has_a_token(stack: Recorded) -> None:
    with_token = [one.object_name for one in stack.pods if one.pod and one.pod["spec"]["automountServiceAccountToken"]]
    assert with_token == ["prometheus"]
    assert all(account.inputs["automountServiceAccountToken"] is False for account in stack.of("ServiceAccount"))


def test_selectors_find_the_pods_they_are_for(stack: Recorded) -> None:
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


def test_what_pods_refer_to_exists_and_comes_first(stack: Recorded) -> None:
    existing = {
        (one.kind, one.namespace, one.object_name): one.name
        for one in stack.resources
        if one.custom and "metadata" in one.inputs
    }
    for one in stack.pods:
        assert one.pod
        spec = one.pod["spec"]
        wanted = [("ConfigMap", volume["configMap"]["name"]) for volume in spec["volumes"] if "configMap" in volume]
        wanted += [("Secret", volume["secret"]["secretName"]) for volume in spec["volumes"] if "secret" in volume]
        for kind, name in wanted:
            assert existing[kind, one.namespace, name] in one.dependencies, (one.name, name)
        if "serviceAccountName" in spec:
            assert ("ServiceAccount", one.namespace, spec["serviceAccountName"]) in existing
        mounted = {mount["name"] for mount in spec["containers"][0]["volumeMounts"]}
        claims = {claim["metadata"]["name"] for claim in one.inputs["spec"].get("volumeClaimTemplates", [])}
        assert mounted == {volume["name"] for volume in spec["volumes"]} | claims


def test_scraped_pods_can_be_reached_by_prometheus(stack: Recorded) -> None:
    for one in stack.pods:
        assert one.pod
        annotations, labels = one.pod["metadata"]["annotations"], one.pod["metadata"]["labels"]
        assert annotations["prometheus.io/scrape"] == "true"
        port = int(annotations["prometheus.io/port"])
        (policy,) = [
            policy
            for policy in stack.of("NetworkPolicy")
            if policy.namespace == one.namespace
            and policy.inputs["spec"]["podSelector"].get("matchLabels", {}).items()
            and _selects(policy.inputs["spec"]["podSelector"]["matchLabels"], {"metadata": {"labels": labels}})
        ]
        sources = [
            peer
            for rule in policy.inputs["spec"]["ingress"]
            if port in {entry["port"] for entry in rule["ports"]}
            for peer in rule["from"]
        ]
        assert any(
            peer.get("podSelector", {}).get("matchLabels") == {"app.kubernetes.io/name": "prometheus"}
            for peer in sources
        ), one.name


def test_no_policy_lets_everybody_in(stack: Recorded) -> None:
    for policy in stack.of("NetworkPolicy"):
        for rule in policy.inputs["spec"].get("ingress", []):
            assert rule["from"], policy.name
            assert rule["ports"], policy.name
            for peer in rule["from"]:
                # A namespace selector alone is fine when it wants a label; an empty one is everybody.
                assert any(selector.get("matchLabels") for selector in peer.values()), policy.name


def test_replicated_workloads_have_a_budget(stack: Recorded) -> None:
    budgets = {
        (one.namespace, one.inputs["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"]): one.inputs["spec"]
        for one in stack.of("PodDisruptionBudget")
    }
    for one in stack.pods:
        if one.inputs["spec"]["replicas"] > 1:
            budget = budgets[one.namespace, one.object_name]
            assert budget.get("maxUnavailable") == 1 or budget.get("minAvailable") == 1
    assert budgets["job-queue", "jq-worker"]["minAvailable"] == 1


@pytest.mark.parametrize("preview", [False, True])
def test_secrets_stand_only_in_the_secret(program: Program, preview: bool) -> None:
    recorded = program("production", preview=preview)
    for one in recorded.resources:
        text = repr(one.inputs)
        if one.kind == "Secret":
            assert one.secret_inputs == {"stringData"}
            assert all(value in text for value in SECRETS.values())
        else:
            assert "hush" not in text, one.name
            assert not one.secret_inputs, one.name
    assert "hush" not in repr(recorded.exports)
    assert "hush" not in repr(recorded.outputs)


def test_outputs_say_where_everything_is(program: Program) -> None:
    exports = program("local").exports
    assert exports["endpoints"]["prometheus"] == {
        "url": "http://prometheus.observability.svc:9090",
        "external_url": "http://localhost:9090",
        "open": "kubectl -n observability port-forward svc/prometheus 9090:9090",
    }
    assert set(exports["endpoints"]) == {"prometheus", "alertmanager", "simulator", "receiver"}
    assert exports["alerts"]["JobQueueNoWorkers"] == {
        "for": "5s",
        "severity": "critical",
        "system": "job-queue",
        "page": "true",
        "channels": ["job-queue-slack", "job-queue-webhook"],
    }
    assert exports["alerts"]["Watchdog"]["channels"] == ["dead-mans-switch"]
    assert exports["timing"]["groupWait"] == "1s"


def test_disabled_alerts_are_in_no_output_and_no_rule(program: Program) -> None:
    recorded = program("local", alertOverrides='{"Watchdog": {"enabled": false}}')
    assert "Watchdog" not in recorded.exports["alerts"]
    assert "alert: Watchdog" not in recorded.one("ConfigMap", "prometheus-rules").inputs["data"]["platform.yaml"]


def test_simulator_is_off_where_it_is_not_wanted(program: Program) -> None:
    recorded = program("production")
    assert {one.object_name for one in recorded.pods} == {"prometheus", "alertmanager"}
    assert set(recorded.exports["endpoints"]) == {"prometheus", "alertmanager"}


def _containers(recorded: Recorded) -> list[dict[str, Any]]:
    return [container for one in recorded.pods if one.pod for container in one.pod["spec"]["containers"]]


def _selects(labels: dict[str, str], pod: dict[str, Any]) -> bool:
    return labels.items() <= pod["metadata"]["labels"].items()


def _pods_in(recorded: Recorded, namespace: str | None, labels: dict[str, str]) -> list[dict[str, Any]]:
    return [one.pod for one in recorded.pods if one.pod and one.namespace == namespace and _selects(labels, one.pod)]
