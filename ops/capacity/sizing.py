"""The settings of a stack that decide its capacity and cost, with their types. Other settings are ignored."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from alerting.base import Strict
from alerting.durations import seconds
from ops.errors import OpsError
from settings.quantities import quantity_bytes

_Value = TypeVar("_Value")


class Sizing(Strict):
    """Sizes are in bytes, times in seconds."""

    cloud: str
    region: str
    creates_cluster: bool
    auto_mode: bool
    prometheus_replicas: int
    prometheus_retention: float
    prometheus_storage: int
    prometheus_memory: int
    scrape_interval: float
    alertmanager_replicas: int
    alertmanager_storage: int
    kube_state_metrics: bool
    kube_state_metrics_memory: int
    node_exporter: bool
    loki_s3: bool
    loki_replicas: int
    loki_retention: float
    loki_storage: int
    loki_memory: int
    jaeger_badger: bool
    jaeger_replicas: int
    jaeger_retention: float
    jaeger_storage: int
    jaeger_memory: int
    collector_replicas: int
    collector_storage: int
    collector_memory: int
    agent_memory: int
    sampled: float
    """Sampled share of the traces without an error, 0 to 1."""
    decision_wait: float
    xray: bool
    grafana: bool
    grafana_storage: int
    grafana_memory: int
    managed_prometheus: bool
    opensearch_domain: bool
    opensearch_instance_type: str
    opensearch_instances: int
    opensearch_storage: int
    load_balancer: str
    """none, internal or internet-facing."""
    makes_key: bool
    secrets: int
    """Number of secrets in Secrets Manager that values are read from."""


_REFERENCE = "aws-secret:"


def read(values: Mapping[str, Any]) -> Sizing:
    """The sizing in a stack's values (see ops.environment). Raises OpsError that lists every unreadable value."""
    reader = _Reader(values)
    number, size, duration, yes, text = reader.number, reader.size, reader.duration, reader.yes, reader.text
    url = text("remoteWriteUrl", "")
    made = {
        "cloud": text("cloud", "none"),
        "region": text("awsRegion", ""),
        "creates_cluster": text("cluster", "existing") == "create",
        "auto_mode": yes("eksAutoMode"),
        "prometheus_replicas": number("prometheusReplicas"),
        "prometheus_retention": duration("prometheusRetention"),
        "prometheus_storage": size("prometheusStorage"),
        "prometheus_memory": size("prometheusMemory"),
        "scrape_interval": duration("scrapeInterval"),
        "alertmanager_replicas": number("alertmanagerReplicas"),
        "alertmanager_storage": size("alertmanagerStorage"),
        "kube_state_metrics": yes("kubeStateMetrics"),
        "kube_state_metrics_memory": size("kubeStateMetricsMemory"),
        "node_exporter": yes("nodeExporter"),
        "loki_s3": text("lokiStorageBackend", "filesystem") == "s3",
        "loki_replicas": number("lokiReplicas"),
        "loki_retention": duration("lokiRetention"),
        "loki_storage": size("lokiStorage"),
        "loki_memory": size("lokiMemory"),
        "jaeger_badger": text("jaegerStorageBackend", "badger") == "badger",
        "jaeger_replicas": number("jaegerReplicas"),
        "jaeger_retention": duration("jaegerRetention"),
        "jaeger_storage": size("jaegerStorage"),
        "jaeger_memory": size("jaegerMemory"),
        "collector_replicas": number("collectorReplicas"),
        "collector_storage": size("collectorStorage"),
        "collector_memory": size("collectorMemory"),
        "agent_memory": size("collectorAgentMemory"),
        "sampled": reader.share("traceSamplingPercentage"),
        "decision_wait": duration("traceDecisionWait"),
        "xray": yes("xray"),
        "grafana": yes("grafana"),
        "grafana_storage": size("grafanaStorage"),
        "grafana_memory": size("grafanaMemory"),
        # A remote-write URL at Amazon is an existing workspace, which costs the same as one that the stack creates.
        "managed_prometheus": yes("managedPrometheus") or ".amazonaws.com" in url,
        "opensearch_domain": yes("opensearchDomain"),
        "opensearch_instance_type": text("opensearchInstanceType", ""),
        "opensearch_instances": number("opensearchInstances", 0),
        "opensearch_storage": size("opensearchStorage", "1"),
        "load_balancer": text("ingress", "none"),
        "makes_key": not text("kmsKeyArn", ""),
        # Several values may be keys of one secret: aws-secret:<name>#<key>.
        "secrets": len({str(value).split("#")[0] for value in values.values() if str(value).startswith(_REFERENCE)}),
    }
    if reader.problems:
        raise OpsError("\n".join(reader.problems))
    return Sizing.model_validate(made)


class _Reader:
    """Parses values to the types that they need, and collects the problems."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values
        self.problems: list[str] = []

    def text(self, key: str, default: str) -> str:
        return str(self._values.get(key) or default)

    def yes(self, key: str) -> bool:
        return str(self._values.get(key, "")).lower() == "true"

    def number(self, key: str, default: int | None = None) -> int:
        return self._read(key, int, default, 0)

    def size(self, key: str, default: str | None = None) -> int:
        return self._read(key, quantity_bytes, default, 0)

    def duration(self, key: str) -> float:
        return self._read(key, seconds, None, 0.0)

    def share(self, key: str) -> float:
        return self._read(key, lambda text: float(text) / 100, None, 0.0)

    def _read(self, key: str, parse: Callable[[str], _Value], default: object, nothing: _Value) -> _Value:
        value = self._values.get(key, default)
        try:
            return parse(str(value))
        except ValueError as error:
            shown = "required, but not set" if value is None else f"{value!r}: {error}"
            self.problems.append(f"observability:{key}: {shown}")
            return nothing
