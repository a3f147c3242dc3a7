"""The stack's cluster: its check before the first resource, if there is one yet, and the options of its objects."""

from functools import partial

import pulumi
import pulumi_kubernetes as k8s

from components.eks.preflight import in_cluster
from components.kubernetes import cluster_check, placement, unmet_budgets, volumes
from components.kubernetes.outbound import Outbound
from components.kubernetes.volumes import Volumes
from settings.apps import ALERTMANAGER, GATEWAY, JAEGER, LOKI, PROMETHEUS, SIMULATED_NAMESPACES
from settings.stack import Settings
from settings.values import Values


def require(settings: Settings) -> None:
    """Raises ClusterError if the cluster of the settings cannot be used, see cluster_check.require_cluster."""
    if settings.has_cluster:
        values = settings.values
        name = values.existing_ingress_class
        observed = (*values.service_namespaces, *(SIMULATED_NAMESPACES if values.simulator else ()))
        cluster_check.require_cluster(
            settings.kubeconfig,
            settings.kube_context,
            cluster_check.IngressClass(name, is_alb=values.cloud == "eks") if name else None,
            settings.made_namespaces,
            [*in_cluster.questions(settings), partial(volumes.too_small, values.namespace, replicated(values))],
            {
                "disruption budgets are not compared with their workloads": partial(
                    unmet_budgets.doubt, budgets=settings.disruption_budgets, namespaces=observed
                )
            },
        )


def options(settings: Settings, kubeconfig: pulumi.Input[str] | None) -> pulumi.ResourceOptions:
    """Options of every object in the cluster. `kubeconfig` is a path or the text of the file; None: kubectl's default.

    They also decide where pods run, from where their images come, and how they leave the cluster, see
    placement.placement.
    """
    values = settings.values
    provider = k8s.Provider(
        "cluster",
        kubeconfig=kubeconfig,
        context=settings.kube_context,
        # A fixed name: Pulumi would otherwise take a changed kubeconfig for another cluster and replace everything.
        cluster_identifier=values.cluster_name,
        # Otherwise a changed rule would replace its ConfigMap, and so the StatefulSets that mount it.
        enable_config_map_mutable=True,
        enable_secret_mutable=True,
    )
    out = Outbound(proxy=values.proxy_url, direct=[*values.pod_cidrs, *values.no_proxy], ca_bundle=values.ca_bundle)
    login = bool(settings.image_login)
    pods = placement.placement(values.pod_settings, values.image_registry, values.image_digests, login=login, out=out)
    return pulumi.ResourceOptions(provider=provider, transformations=[pods])


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
