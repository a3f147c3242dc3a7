"""The collector of Kubernetes' events: one pod, that may read events and nothing else."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from components.collector import events_config
from components.collector.events import CollectorEvents
from components.collector.events_config import EventsConfig
from local.toolchain import tool
from tests.mock_engine import Recorded

Engine = Callable[..., Recorded]
GATEWAYS = "dns:///otel-gateway-peers.home.svc:4317"


@pytest.fixture
def collector(engine: Engine) -> Recorded:
    return engine(
        lambda: CollectorEvents(
            "events",
            {
                "namespace": "home",
                "gateway": "otel-gateway",
                "gateway_port": 4317,
                "log_target": GATEWAYS,
                "prometheus": "prometheus",
            },
        )
    )


def test_two_never_run_at_once_for_each_would_send_every_event(collector: Recorded) -> None:
    (deployment,) = collector.of("Deployment")
    assert deployment.inputs["spec"]["replicas"] == 1
    assert deployment.inputs["spec"]["strategy"] == {"type": "Recreate"}


def test_it_may_read_events_by_both_of_their_interfaces(collector: Recorded) -> None:
    (role,) = collector.of("ClusterRole")
    rules = [{"apiGroups": ["", "events.k8s.io"], "resources": ["events"], "verbs": ["get", "list", "watch"]}]
    assert role.inputs["rules"] == rules


def test_it_reaches_the_gateways_and_the_api_server(collector: Recorded) -> None:
    (policy,) = collector.of("NetworkPolicy")
    ports = [[entry["port"] for entry in rule["ports"]] for rule in policy.inputs["spec"]["egress"]]
    assert ports == [[4317], [443, 6443]]
    (caller,) = policy.inputs["spec"]["ingress"]
    assert [entry["port"] for entry in caller["ports"]] == [8888]


def test_the_collector_accepts_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "events.yaml"
    file.write_text(events_config.render(EventsConfig(gateway=GATEWAYS)))
    command = [tool("otelcol-contrib"), "validate", f"--config={file}"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 0, result.stderr
    assert "deprecated" not in result.stderr.lower()
