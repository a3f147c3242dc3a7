"""The workspace proxy in a stack: nothing but it has an identity for the workspace, and no rule depends on it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from tests.mock_engine import Recorded

Program = Callable[..., Recorded]
APP = "workspace-proxy"
AGENT = "169.254.170.23/32"
ELSEWHERE = "https://metrics.example.com/api/v1/write"
CENTRAL = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write"
ROLE = "arn:aws:iam::999999999999:role/metrics"


@pytest.fixture
def production(program: Program) -> Recorded:
    return program("production")


def remote_writes(recorded: Recorded) -> list[dict[str, Any]]:
    text = recorded.one("ConfigMap", "prometheus-config").inputs["data"]["prometheus.yml"]
    return yaml.safe_load(text).get("remote_write", [])


def variables(recorded: Recorded) -> dict[str, str]:
    (container,) = recorded.one("Deployment", APP).inputs["spec"]["template"]["spec"]["containers"]
    return {one["name"]: one["value"] for one in container["env"]}


def egress(recorded: Recorded, app: str) -> str:
    return json.dumps(recorded.one("NetworkPolicy", app).inputs["spec"]["egress"])


def test_prometheus_starts_without_aws(production: Recorded) -> None:
    """A Prometheus that signs ends at its start if it gets no credentials."""
    (written,) = remote_writes(production)
    assert written["url"] == "http://workspace-proxy.observability.svc:8081/api/v1/remote_write"
    assert "sigv4" not in written
    server = production.one("StatefulSet", "prometheus")
    assert not [name for name in server.dependencies if "identity" in name or APP in name]
    assert server.pod
    assert "observability/pod-identity" not in server.pod["metadata"]["annotations"]
    assert AGENT not in egress(production, "prometheus")
    assert AGENT in egress(production, APP)


def test_the_proxy_signs_for_the_workspace_that_is_made(production: Recorded) -> None:
    found = variables(production)
    assert found.pop("WORKSPACE").startswith("https://aps-workspaces.eu-central-1.amazonaws.com/workspaces/ws-")
    assert found == {"REGION": "eu-central-1", "QUERY_PORT": "8080", "WRITE_PORT": "8081"}


def test_each_reaches_only_its_port(production: Recorded) -> None:
    rules = production.one("NetworkPolicy", APP).inputs["spec"]["ingress"]
    reached = {
        rule["from"][0]["podSelector"]["matchLabels"]["app.kubernetes.io/name"]: [one["port"] for one in rule["ports"]]
        for rule in rules
    }
    assert reached == {"prometheus": [8081], "grafana": [8080]}
    assert '"workspace-proxy"' in egress(production, "grafana")


def test_its_programs_are_mounted_as_the_module_that_it_runs(production: Recorded) -> None:
    assert production.one("ConfigMap", APP).inputs["data"].keys() == {"aws_request.py", "proxy.py"}
    (container,) = production.one("Deployment", APP).inputs["spec"]["template"]["spec"]["containers"]
    assert (container["workingDir"], container["command"]) == ("/", ["python3", "-m", "signing.proxy"])
    assert container["volumeMounts"][0]["mountPath"] == "/signing"


def test_two_replicas_that_a_drain_does_not_take_together(production: Recorded) -> None:
    assert production.one("Deployment", APP).inputs["spec"]["replicas"] == 2
    assert production.one("PodDisruptionBudget", APP).inputs["spec"]["maxUnavailable"] == 1


def test_what_is_paid_for_can_be_read(production: Recorded) -> None:
    sources = {one.inputs["uid"]: one.inputs for one in production.of("DataSource")}
    source = sources["prometheus-long-term"]
    assert source["type"] == "prometheus"  # so that the variable of every dashboard offers it
    assert source["url"] == "http://workspace-proxy.observability.svc:8080"
    assert not source["isDefault"]


@pytest.mark.parametrize("url", ["", ELSEWHERE])
def test_others_need_no_proxy(program: Program, url: str) -> None:
    recorded = program("staging", remoteWriteUrl=url)
    assert APP not in {one.object_name for one in recorded.of("Deployment")}
    assert [one["url"] for one in remote_writes(recorded)] == ([url] if url else [])
    assert "prometheus-long-term" not in {one.inputs["uid"] for one in recorded.of("DataSource")}


def test_a_central_workspace_is_that_of_another_account_and_region(program: Program) -> None:
    recorded = program("staging", remoteWriteUrl=CENTRAL, remoteWriteRoleArn=ROLE)
    assert variables(recorded)["REGION"] == "eu-west-1"
    (policy,) = [one for one in recorded.of("RolePolicy") if one.name.startswith(APP)]
    (statement,) = json.loads(policy.inputs["policy"])["Statement"]
    assert (statement["Action"], statement["Resource"]) == (["sts:AssumeRole", "sts:TagSession"], [ROLE])
    associations = [one for one in recorded.of("PodIdentityAssociation") if one.name.startswith(APP)]
    assert [one.inputs["targetRoleArn"] for one in associations] == [ROLE, ROLE]
    assert recorded.exports["aws"]["workspace"]["arn"] == "arn:aws:aps:eu-west-1:999999999999:workspace/ws-1"
