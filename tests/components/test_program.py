"""Rules for every resource of the whole program, on the mock engine."""

from collections.abc import Callable

import pytest

from tests.mock_engine import SECRETS, Recorded

Program = Callable[..., Recorded]
# Only this pod runs outside `restricted`, because it mounts folders of its node.
AGENT = "otel-agent"
PLATFORM = {"prometheus", "alertmanager", "loki", "jaeger", "grafana"}
NAMESPACED = {
    "ConfigMap",
    "DaemonSet",
    "Deployment",
    "Ingress",
    "Job",
    "NetworkPolicy",
    "PersistentVolumeClaim",
    "PodDisruptionBudget",
    "Role",
    "RoleBinding",
    "Secret",
    "Service",
    "ServiceAccount",
    "StatefulSet",
}


def test_everything_uses_its_explicit_provider(stack: Recorded) -> None:
    objects = [one for one in stack.resources if one.type.startswith("kubernetes:")]
    assert len(objects) > 15
    assert [one.name for one in objects if "::cluster::" not in one.provider] == []
    content = [one for one in stack.resources if one.type.startswith("grafana:")]
    assert len(content) > 10
    assert [one.name for one in content if "::grafana-api::" not in one.provider] == []
    in_aws = [one for one in stack.resources if one.type.startswith("aws:")]
    assert [one.name for one in in_aws if "::aws::" not in one.provider] == []


def test_the_provider_avoids_replacements(stack: Recorded) -> None:
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


def test_namespaces_are_created_before_their_objects(stack: Recorded) -> None:
    namespaces = {one.object_name: one.name for one in stack.of("Namespace") if one.custom}
    for one in stack.resources:
        if one.custom and "metadata" in one.inputs and one.namespace in namespaces:
            assert namespaces[one.namespace] in one.dependencies, one.name


def test_namespaces_enforce_restricted_and_deny(stack: Recorded) -> None:
    namespaces = [one for one in stack.of("Namespace") if one.custom]
    for one in namespaces:
        level = "privileged" if one.object_name == "observability-agent" else "restricted"
        assert one.inputs["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == level
        (deny,) = [
            policy
            for policy in stack.of("NetworkPolicy")
            if policy.namespace == one.object_name and policy.inputs["spec"]["podSelector"] == {}
        ]
        spec = deny.inputs["spec"]
        assert sorted(spec["policyTypes"]) == ["Egress", "Ingress"]
        assert not spec.get("ingress")
        assert {port["port"] for rule in spec["egress"] for port in rule["ports"]} == {53}


def test_no_policy_allows_traffic_from_everywhere(stack: Recorded) -> None:
    for policy in stack.of("NetworkPolicy"):
        for rule in policy.inputs["spec"].get("ingress", []):
            assert rule["from"], policy.name
            assert rule["ports"], policy.name
            for peer in rule["from"]:
                if policy.object_name == AGENT and {entry["port"] for entry in rule["ports"]} == {4317, 4318}:
                    continue  # every program may send its traces to the agent of its node
                # A namespace selector must have a label, because an empty one matches all namespaces. An address range
                # is that of a load balancer.
                labelled = any(selector.get("matchLabels") for selector in peer.values())
                assert labelled or int(peer["ipBlock"]["cidr"].partition("/")[2]) >= 8, policy.name


@pytest.mark.parametrize("preview", [False, True])
def test_secrets_are_only_in_secret_inputs(program: Program, preview: bool) -> None:
    recorded = program("production", preview=preview)
    holders = {
        "alertmanager-config",
        "grafana-admin",
        "grafana-oauth",
        "grafana-smtp",
        "index-retention-login",
        "jaeger-opensearch",
        "jaeger-user-login",
        "login-client",
    }
    for one in recorded.resources:
        if one.type == "grafana:alerting/contactPoint:ContactPoint":
            # A mailbox has no secret.
            assert one.secret_inputs & {"slacks", "webhooks", "pagerduties"} or "emails" in one.inputs, one.name
        elif one.type == "pulumi:providers:grafana":
            # The password is unknown in the first preview.
            assert preview or one.secret_inputs == {"auth"}
        elif one.type == "aws:opensearch/domain:Domain":
            assert one.secret_inputs == {"advancedSecurityOptions"}
        elif one.name in holders:
            assert one.secret_inputs == {"stringData"}
        else:
            assert "hush" not in repr(one.inputs), one.name
            assert not one.secret_inputs, one.name
    assert all(value in repr(recorded.one("Secret", "alertmanager-config").inputs) for value in SECRETS.values())
    assert "hush" not in repr(recorded.exports)
    assert "hush" not in repr(recorded.outputs)


def test_outputs_contain_endpoints_alerts_and_timing(program: Program) -> None:
    exports = program("local").exports
    assert exports["endpoints"]["prometheus"] == {
        "url": "http://prometheus.observability.svc:9090",
        "external_url": "http://localhost:9090",
        "open": "kubectl -n observability port-forward svc/prometheus 9090:9090",
    }
    simulated = ("speccursor", "api", "media-upload", "media-clustering", "platform-faults")
    assert set(exports["endpoints"]) == {*PLATFORM, "simulator", *(f"simulator-{one}" for one in simulated), "receiver"}
    ports = [endpoint["external_url"] for endpoint in exports["endpoints"].values()]
    assert len(set(ports)) == len(ports)
    assert exports["alerts"]["JobQueueNoWorkers"] == {
        "for": "5s",
        "severity": "critical",
        "system": "job-queue",
        "page": "true",
        "channels": ["job-queue-pagerduty", "job-queue-slack", "job-queue-webhook"],
    }
    assert exports["alerts"]["Watchdog"]["channels"] == ["dead-mans-switch"]
    assert exports["timing"]["groupWait"] == "1s"


def test_a_disabled_alert_is_in_no_output_and_no_rule_file(program: Program) -> None:
    recorded = program("local", alertOverrides='{"Watchdog": {"enabled": false}}')
    assert "Watchdog" not in recorded.exports["alerts"]
    assert "alert: Watchdog" not in recorded.one("ConfigMap", "prometheus-rules").inputs["data"]["platform.yaml"]


def test_simulated_services_know_which_traces_the_gateways_keep(program: Program) -> None:
    recorded = program("local", traceSamplingPercentage="12.5", traceSlowerThan="1m500ms")
    (pod,) = [one.pod for one in recorded.pods if one.object_name == "api"]
    assert pod
    environment = {one["name"]: one.get("value") for one in pod["spec"]["containers"][0]["env"]}
    assert environment["OBSERVABILITY_EXEMPLAR_PERCENTAGE"] == "12.5"
    assert environment["OBSERVABILITY_EXEMPLAR_SLOWER_THAN"] == "60.5"


def test_production_runs_no_simulator(program: Program) -> None:
    recorded = program("production")
    assert {one.object_name for one in recorded.pods} == {
        *PLATFORM,
        "otel-gateway",
        AGENT,
        "otel-events",
        "node-exporter",
        "kube-state-metrics",
        "workspace-proxy",
        "page-gate",
    }
    assert set(recorded.exports["endpoints"]) == PLATFORM


def test_content_is_managed_without_a_grafana_server_too(program: Program) -> None:
    recorded = program("local", grafana="false")
    assert "grafana" not in {one.object_name for one in recorded.pods}
    assert "grafana" not in recorded.exports["endpoints"]
    assert len(recorded.of("Dashboard")) >= 4
    (provider,) = [one for one in recorded.resources if one.type == "pulumi:providers:grafana"]
    assert provider.inputs["auth"] == "anonymous"
