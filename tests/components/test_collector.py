"""The agent and the gateways: their rights on the node and the network. The real Collector accepts their files."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.collector import agent_config, gateway_config, shared_config
from components.collector.agent import CollectorAgent
from components.collector.agent_config import AgentConfig
from components.collector.gateway import CollectorGateway
from components.collector.gateway_config import GatewayConfig
from components.kubernetes.checksum import ANNOTATION, slow_hash
from local.toolchain import tool
from settings import sizes
from tests.mock_engine import Recorded

Engine = Callable[..., Recorded]


def _agent() -> CollectorAgent:
    return CollectorAgent(
        "agent",
        {
            "namespace": "home-agent",
            "platform_namespace": "home",
            "gateway": "otel-gateway",
            "gateway_port": 4317,
            "trace_targets": ["otel-gateway-0.otel-gateway-peers.home.svc:4317"],
            "log_target": "dns:///otel-gateway-peers.home.svc:4317",
            "prometheus": "prometheus",
            "memory": "256Mi",
        },
    )


def _gateway(**changes: Any) -> CollectorGateway:
    args: Any = {
        "namespace": "home",
        "agent_namespace": "home-agent",
        "agent": "otel-agent",
        "events": "otel-events",
        "replicas": 2,
        "memory": "512Mi",
        "storage": "1Gi",
        "storage_class": None,
        "sampling_percentage": 10,
        "slow_trace": "5s",
        "decision_wait": "10s",
        "scrape_interval": "30s",
        "loki": "http://loki.home.svc:3100/otlp",
        "oldest_line_hours": 168,
        "services": {},
        "loki_app": "loki",
        "loki_port": 3100,
        "jaeger": "jaeger.home.svc:4317",
        "jaeger_app": "jaeger",
        "jaeger_port": 4317,
        "prometheus": "prometheus",
        "prometheus_targets": ["prometheus-0.prometheus-peers.home.svc:9090"],
        "prometheus_port": 9090,
        "xray_region": None,
        **changes,
    }
    return CollectorGateway("gateway", args)


def test_agent_reads_the_nodes_logs_and_writes_only_its_own_folder(engine: Engine, preview: bool) -> None:
    (daemons,) = engine(_agent, preview=preview).of("DaemonSet")
    pod = daemons.inputs["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    folders = {volume["name"]: volume["hostPath"]["path"] for volume in pod["volumes"] if "hostPath" in volume}
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    assert folders == {"logs": "/var/log/pods", "data": "/var/lib/otel-agent/home-agent"}
    assert [name for name in mounts if not mounts[name].get("readOnly")] == ["data"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["tolerations"] == [{"operator": "Exists"}]
    assert pod["priorityClassName"] == "system-node-critical"
    (term,) = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert term["matchExpressions"] == [
        {"key": "eks.amazonaws.com/compute-type", "operator": "NotIn", "values": ["fargate"]},
        {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]},
    ]
    assert daemons.inputs["spec"]["updateStrategy"]["rollingUpdate"] == {"maxUnavailable": 1, "maxSurge": 0}
    assert agent_config.FLAGS[0] in container["args"]


def test_agent_may_read_pods_and_nothing_else(engine: Engine, preview: bool) -> None:
    recorded = engine(_agent, preview=preview)
    (role,) = recorded.of("ClusterRole")
    assert role.inputs["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]
    assert recorded.one("Service", "otel-agent").inputs["spec"]["internalTrafficPolicy"] == "Local"


def test_agent_talks_to_the_gateways_and_the_api_server(engine: Engine, preview: bool) -> None:
    policy = engine(_agent, preview=preview).one("NetworkPolicy", "otel-agent").inputs["spec"]
    assert [[port["port"] for port in rule["ports"]] for rule in policy["ingress"]] == [[4317, 4318], [8888]]
    assert [[port["port"] for port in rule["ports"]] for rule in policy["egress"]] == [[4317], [443, 6443]]
    assert [sorted(rule) for rule in policy["egress"]] == [["ports", "to"], ["ports"]]


def test_gateways_have_stable_names_a_budget_and_a_port_for_span_metrics(engine: Engine, preview: bool) -> None:
    recorded = engine(_gateway, preview=preview)
    assert recorded.outputs["gateway"] == {
        "trace_targets": [f"otel-gateway-{n}.otel-gateway-peers.home.svc:4317" for n in range(2)],
        "log_target": "dns:///otel-gateway-peers.home.svc:4317",
    }
    assert recorded.one("PodDisruptionBudget", "otel-gateway").inputs["spec"]["maxUnavailable"] == 1
    (container,) = recorded.one("StatefulSet", "otel-gateway").inputs["spec"]["template"]["spec"]["containers"]
    assert {port["name"]: port["containerPort"] for port in container["ports"]} == {
        "http": 4318,
        "otlp-grpc": 4317,
        "metrics": 8888,
        "span-metrics": 8889,
        "health": 13133,
    }
    assert not recorded.of("ServiceAccount")


def test_x_ray_adds_a_service_account_and_egress(engine: Engine, preview: bool) -> None:
    recorded = engine(lambda: _gateway(xray_region="eu-west-1"), preview=preview)
    assert [account.object_name for account in recorded.of("ServiceAccount")] == ["otel-gateway"]
    egress = recorded.one("NetworkPolicy", "otel-gateway").inputs["spec"]["egress"]
    assert [rule["ports"][0]["port"] for rule in egress] == [3100, 4317, 9090, 443, 80]
    config = yaml.safe_load(recorded.one("ConfigMap", "otel-gateway-config").inputs["data"]["gateway.yaml"])
    pipelines = config["service"]["pipelines"]
    assert pipelines["traces/kept"]["exporters"] == ["otlp_grpc/jaeger", "forward/xray"]
    assert pipelines["traces/xray"]["exporters"] == ["otlp_http/xray"]
    assert {peer["ipBlock"]["cidr"] for peer in egress[-1]["to"]} == {"169.254.170.23/32", "fd00:ec2::23/128"}


@pytest.mark.parametrize(("region", "suffix"), [("eu-west-1", "amazonaws.com"), ("cn-north-1", "amazonaws.com.cn")])
def test_the_endpoint_of_x_ray_follows_the_region(tmp_path: Path, region: str, suffix: str) -> None:
    xray = yaml.safe_load(_gateway_yaml(tmp_path, region))["exporters"]["otlp_http/xray"]
    assert xray["traces_endpoint"] == f"https://xray.{region}.{suffix}/v1/traces"


def test_a_changed_configuration_restarts_the_gateways(engine: Engine) -> None:
    recorded = engine(_gateway)
    text = recorded.one("ConfigMap", "otel-gateway-config").inputs["data"]["gateway.yaml"]
    template = recorded.one("StatefulSet", "otel-gateway").inputs["spec"]["template"]
    assert template["metadata"]["annotations"][ANNOTATION] == slow_hash(text, "gateway").hex()


def _agent_yaml(folder: Path) -> str:
    return agent_config.render(
        AgentConfig(
            namespace="home-agent",
            app="otel-agent",
            trace_gateways=["otel-gateway-0.otel-gateway-peers.home.svc:4317"],
            log_gateway="dns:///otel-gateway-peers.home.svc:4317",
            memory_bytes=2**28,
            data_folder=str(folder),
        )
    )


def _gateway_yaml(folder: Path, region: str | None = None) -> str:
    return gateway_config.render(
        GatewayConfig(
            sampling_percentage=0.5,
            slow_trace="1s",
            decision_wait="14d",
            scrape_interval="30s",
            memory_bytes=2**29,
            storage_bytes=2**30,
            jaeger="jaeger.home.svc:4317",
            loki="http://loki.home.svc:3100/otlp",
            prometheus=["prometheus-0.prometheus-peers.home.svc:9090"],
            oldest_line_hours=168,
            services={},
            xray_region=region,
            data_folder=str(folder),
        )
    )


def test_programs_are_identified_by_their_connection_and_files_by_their_path(tmp_path: Path) -> None:
    config = yaml.safe_load(_agent_yaml(tmp_path))
    pipelines = {name: pipeline["processors"] for name, pipeline in config["service"]["pipelines"].items()}
    for name in ("logs/programs", "traces"):
        assert pipelines[name][:3] == ["memory_limiter", "transform/no_claims", "k8s_attributes/programs"]
        assert config["service"]["pipelines"][name]["receivers"] == ["otlp"]
    assert pipelines["logs/files"][:2] == ["memory_limiter", "k8s_attributes/files"]
    assert config["service"]["pipelines"]["logs/files"]["receivers"] == ["file_log"]
    association = {
        name: config["processors"][f"k8s_attributes/{name}"]["pod_association"] for name in ("programs", "files")
    }
    assert association == {
        "programs": [{"sources": [{"from": "connection"}]}],
        "files": [{"sources": [{"from": "resource_attribute", "name": "k8s.pod.uid"}]}],
    }


@pytest.mark.parametrize(("memory", "gateways", "size"), [(256, 2, 16), (256, 8, 8), (1024, 20, 12.8)])
def test_gateways_share_the_memory_for_an_agents_queues(memory: int, gateways: int, size: float) -> None:
    assert sizes.gateway_queue_bytes(memory * 2**20, gateways) == int(size * 2**20)


def test_an_agent_too_small_for_its_gateways_is_refused() -> None:
    with pytest.raises(ValueError, match="256Mi is too small for 20 gateways; allowed: 640Mi or more"):
        sizes.gateway_queue_bytes(256 * 2**20, 20)
    assert sizes.gateway_queue_bytes(640 * 2**20, 20) == sizes.BATCH_BYTES


@pytest.mark.parametrize(("text", "go"), [("30s", "30000ms"), ("14d", "1209600000ms"), ("1y", "31536000000ms")])
def test_durations_for_go_have_no_exponent(text: str, go: str) -> None:
    assert shared_config.go_duration(text) == go


@pytest.mark.parametrize("which", ["agent", "gateway", "gateway with X-Ray"])
def test_the_collector_accepts_the_configuration(which: str, tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    region = "eu-west-1" if "X-Ray" in which else None
    file.write_text(_agent_yaml(tmp_path) if which == "agent" else _gateway_yaml(tmp_path, region))
    result = _validate(file)
    assert result.returncode == 0, result.stderr
    # The Collector warns of deprecated names.
    assert "deprecated" not in result.stderr.lower()


def test_the_collector_refuses_an_unknown_key(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(_gateway_yaml(tmp_path).replace("num_traces:", "number_of_traces:"))
    assert "number_of_traces" in _validate(file).stderr


def _validate(file: Path) -> subprocess.CompletedProcess[str]:
    command = [tool("otelcol-contrib"), "validate", f"--config={file}", *agent_config.FLAGS]
    environment = {**os.environ, "KUBE_NODE_NAME": "node", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "key"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=60)
