"""What the platform's own pods request of nodes. Held equal to what the program deploys by a test. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from ops.cost.sizing import Sizing

MIB = 2**20


@dataclass(frozen=True, kw_only=True)
class Pods:
    """Pods of one kind."""

    app: str
    count: int
    cpu: float
    """Cores that each requests."""
    memory: int
    """Bytes that each requests."""


def platform(sizing: Sizing, nodes: int) -> list[Pods]:
    """Every pod of the platform, agents on `nodes` nodes included."""
    return [pods for pods in _all(sizing, nodes) if pods.count]


def _all(sizing: Sizing, nodes: int) -> Iterator[Pods]:
    yield Pods(app="prometheus", count=sizing.prometheus_replicas, cpu=0.1, memory=sizing.prometheus_memory)
    yield Pods(app="alertmanager", count=sizing.alertmanager_replicas, cpu=0.02, memory=128 * MIB)
    yield Pods(app="loki", count=sizing.loki_replicas, cpu=0.1, memory=sizing.loki_memory)
    yield Pods(app="jaeger", count=sizing.jaeger_replicas, cpu=0.05, memory=sizing.jaeger_memory)
    yield Pods(app="otel-gateway", count=sizing.collector_replicas, cpu=0.05, memory=sizing.collector_memory)
    yield Pods(app="otel-agent", count=nodes, cpu=0.05, memory=sizing.agent_memory)
    yield Pods(app="grafana", count=int(sizing.grafana), cpu=0.05, memory=sizing.grafana_memory)
    yield Pods(
        app="kube-state-metrics",
        count=int(sizing.kube_state_metrics),
        cpu=0.01,
        memory=sizing.kube_state_metrics_memory,
    )
    yield Pods(app="node-exporter", count=nodes if sizing.node_exporter else 0, cpu=0.01, memory=64 * MIB)
