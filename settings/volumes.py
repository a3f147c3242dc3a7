"""The volumes that a stack claims."""

from collections.abc import Mapping
from typing import NamedTuple

from settings.quantities import quantity_bytes
from settings.values import Values


class Volumes(NamedTuple):
    """The volumes of one part."""

    number: int
    bytes: int
    """Size of each volume."""


def volumes(values: Values) -> Mapping[str, Volumes]:
    """Part -> its volumes; without parts that have none."""
    found = {
        "Prometheus": (values.prometheus_replicas, values.prometheus_storage),
        "Alertmanager": (values.alertmanager_replicas, values.alertmanager_storage),
        "Loki": (values.loki_replicas, values.loki_storage),
        "Jaeger": (values.jaeger_replicas if values.jaeger_storage_backend == "badger" else 0, values.jaeger_storage),
        "Collector": (values.collector_replicas, values.collector_storage),
        "Grafana": (int(values.grafana), values.grafana_storage),
    }
    return {part: Volumes(count, quantity_bytes(size)) for part, (count, size) in found.items() if count}
