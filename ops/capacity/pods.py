"""CPU and memory requests of the platform's own pods. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from ops.capacity.sizing import Sizing
from settings import sizes
from settings.quantities import quantity_bytes

MIB = 2**20


@dataclass(frozen=True, kw_only=True)
class Pods:
    """All pods of one app."""

    app: str
    count: int
    cpu: float
    """Cores that each requests."""
    memory: int
    """Bytes that each requests."""


def platform(sizing: Sizing, nodes: int) -> list[Pods]:
    """Every pod of the platform, including agents on `nodes` nodes."""
    return [pods for pods in _all(sizing, nodes) if pods.count]


def _all(sizing: Sizing, nodes: int) -> Iterator[Pods]:
    yield Pods(
        app="prometheus", count=sizing.prometheus_replicas, cpu=sizes.CPU["prometheus"], memory=sizing.prometheus_memory
    )
    yield Pods(
        app="alertmanager",
        count=sizing.alertmanager_replicas,
        cpu=sizes.CPU["alertmanager"],
        memory=quantity_bytes(sizes.MEMORY["alertmanager"]),
    )
    yield Pods(app="loki", count=sizing.loki_replicas, cpu=sizes.CPU["loki"], memory=sizing.loki_memory)
    yield Pods(app="jaeger", count=sizing.jaeger_replicas, cpu=sizes.CPU["jaeger"], memory=sizing.jaeger_memory)
    yield Pods(
        app="otel-gateway",
        count=sizing.collector_replicas,
        cpu=sizes.CPU["otel-gateway"],
        memory=sizing.collector_memory,
    )
    yield Pods(app="otel-agent", count=nodes, cpu=sizes.CPU["otel-agent"], memory=sizing.agent_memory)
    yield Pods(app="grafana", count=int(sizing.grafana), cpu=sizes.CPU["grafana"], memory=sizing.grafana_memory)
    yield Pods(
        app="kube-state-metrics",
        count=int(sizing.kube_state_metrics),
        cpu=sizes.CPU["kube-state-metrics"],
        memory=sizing.kube_state_metrics_memory,
    )
    yield Pods(
        app="node-exporter",
        count=nodes if sizing.node_exporter else 0,
        cpu=sizes.CPU["node-exporter"],
        memory=quantity_bytes(sizes.MEMORY["node-exporter"]),
    )
