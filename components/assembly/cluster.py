"""Checks the stack's cluster before the first resource, if there is one yet."""

from components.eks.preflight import in_cluster
from components.kubernetes import cluster_check
from settings.stack import Settings


def require(settings: Settings) -> None:
    """Raises ClusterError if the cluster of the settings cannot be used, see cluster_check.require_cluster."""
    if settings.has_cluster:
        cluster_check.require_cluster(
            settings.kubeconfig,
            settings.kube_context,
            settings.values.existing_ingress_class,
            settings.made_namespaces,
            in_cluster.questions(settings),
        )
