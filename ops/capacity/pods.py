"""CPU and memory requests of the platform's own pods. Pure."""

from collections.abc import Iterator, Sequence
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
    values, memory = sizing.values, sizes.MEMORY
    readers = ["monitor-reader"] if values.monitors else []
    yield _pods("prometheus", values.prometheus_replicas, values.prometheus_memory, readers)
    yield _pods("alertmanager", values.alertmanager_replicas, memory["alertmanager"])
    yield _pods("loki", values.loki_replicas, values.loki_memory)
    yield _pods("jaeger", values.jaeger_replicas, values.jaeger_memory)
    yield _pods("otel-gateway", values.collector_replicas, values.collector_memory)
    yield _pods("otel-agent", nodes, values.collector_agent_memory)
    yield _pods("otel-events", 1, memory["otel-events"])
    yield _pods("grafana", int(values.grafana), values.grafana_memory)
    yield _pods("workspace-proxy", 2 if values.writes_to_aws else 0, memory["workspace-proxy"])
    yield _pods("page-gate", 2 if values.gated_pages else 0, memory["page-gate"])
    yield _pods("kube-state-metrics", int(values.kube_state_metrics), values.kube_state_metrics_memory)
    yield _pods("node-exporter", nodes if values.node_exporter else 0, memory["node-exporter"])


def _pods(app: str, count: int, memory: str, beside: Sequence[str] = ()) -> Pods:
    """Pods of an app, each with further containers `beside` that of the app."""
    cpu = sum(sizes.CPU[one] for one in (app, *beside))
    more = sum(quantity_bytes(sizes.MEMORY[one]) for one in beside)
    return Pods(app=app, count=count, cpu=cpu, memory=quantity_bytes(memory) + more)
