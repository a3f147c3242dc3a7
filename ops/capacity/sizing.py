"""The settings of a stack that decide its capacity and cost, with their types. Other settings are ignored."""

from collections.abc import Mapping
from typing import Any

from alerting.base import Strict
from alerting.durations import seconds
from ops.errors import OpsError
from settings import stack_files
from settings.eks.secret_references import PREFIX
from settings.quantities import quantity_bytes
from settings.stack_files import StackFileError


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


def read(values: Mapping[str, Any]) -> Sizing:
    """The sizing in a stack's values (see ops.environment). Raises OpsError that lists every unreadable value."""
    try:
        typed = stack_files.typed(values)
    except StackFileError as error:
        raise OpsError(str(error)) from error
    return Sizing(
        cloud=typed.cloud,
        region=typed.aws_region,
        creates_cluster=typed.cluster == "create",
        auto_mode=typed.eks_auto_mode,
        prometheus_replicas=typed.prometheus_replicas,
        prometheus_retention=seconds(typed.prometheus_retention),
        prometheus_storage=quantity_bytes(typed.prometheus_storage),
        prometheus_memory=quantity_bytes(typed.prometheus_memory),
        scrape_interval=seconds(typed.scrape_interval),
        alertmanager_replicas=typed.alertmanager_replicas,
        alertmanager_storage=quantity_bytes(typed.alertmanager_storage),
        kube_state_metrics=typed.kube_state_metrics,
        kube_state_metrics_memory=quantity_bytes(typed.kube_state_metrics_memory),
        node_exporter=typed.node_exporter,
        loki_s3=typed.loki_storage_backend == "s3",
        loki_replicas=typed.loki_replicas,
        loki_retention=seconds(typed.loki_retention),
        loki_storage=quantity_bytes(typed.loki_storage),
        loki_memory=quantity_bytes(typed.loki_memory),
        jaeger_badger=typed.jaeger_storage_backend == "badger",
        jaeger_replicas=typed.jaeger_replicas,
        jaeger_retention=seconds(typed.jaeger_retention),
        jaeger_storage=quantity_bytes(typed.jaeger_storage),
        jaeger_memory=quantity_bytes(typed.jaeger_memory),
        collector_replicas=typed.collector_replicas,
        collector_storage=quantity_bytes(typed.collector_storage),
        collector_memory=quantity_bytes(typed.collector_memory),
        agent_memory=quantity_bytes(typed.collector_agent_memory),
        sampled=typed.trace_sampling_percentage / 100,
        decision_wait=seconds(typed.trace_decision_wait),
        xray=typed.xray,
        grafana=typed.grafana,
        grafana_storage=quantity_bytes(typed.grafana_storage),
        grafana_memory=quantity_bytes(typed.grafana_memory),
        # A remote-write URL at Amazon is an existing workspace, which costs the same as one that the stack creates.
        managed_prometheus=typed.managed_prometheus or ".amazonaws.com" in typed.remote_write_url,
        opensearch_domain=typed.opensearch_domain,
        opensearch_instance_type=typed.opensearch_instance_type,
        opensearch_instances=typed.opensearch_instances,
        opensearch_storage=quantity_bytes(typed.opensearch_storage),
        load_balancer=typed.ingress,
        makes_key=not typed.kms_key_arn,
        # Several values may be keys of one secret: aws-secret:<name>#<key>.
        secrets=len({str(value).split("#")[0] for value in values.values() if str(value).startswith(PREFIX)}),
    )
