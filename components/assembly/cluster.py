"""Checks the stack's cluster before the first resource, if there is one yet."""

from functools import partial

from components.eks.preflight import in_cluster
from components.kubernetes import cluster_check, volumes
from components.kubernetes.volumes import Volumes
from settings.apps import ALERTMANAGER, GATEWAY, JAEGER, LOKI, PROMETHEUS
from settings.stack import Settings
from settings.values import Values


def require(settings: Settings) -> None:
    """Raises ClusterError if the cluster of the settings cannot be used, see cluster_check.require_cluster."""
    if settings.has_cluster:
        values = settings.values
        cluster_check.require_cluster(
            settings.kubeconfig,
            settings.kube_context,
            values.existing_ingress_class,
            settings.made_namespaces,
            [*in_cluster.questions(settings), partial(volumes.too_small, values.namespace, replicated(values))],
        )


def replicated(values: Values) -> dict[str, Volumes]:
    """Setting -> the volumes of the stateful app that it sizes."""
    found = {
        "prometheusStorage": (PROMETHEUS.name, values.prometheus_replicas, values.prometheus_storage),
        "alertmanagerStorage": (ALERTMANAGER.name, values.alertmanager_replicas, values.alertmanager_storage),
        "lokiStorage": (LOKI.name, values.loki_replicas, values.loki_storage),
        "jaegerStorage": (JAEGER.name, values.jaeger_replicas, values.jaeger_storage),
        "collectorStorage": (GATEWAY, values.collector_replicas, values.collector_storage),
    }
    return {key: Volumes(app=app, replicas=replicas, size=size) for key, (app, replicas, size) in found.items()}
