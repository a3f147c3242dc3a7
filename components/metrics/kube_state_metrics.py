"""kube-state-metrics: metrics of the state of the cluster's objects, those that rules and dashboards read."""

from typing import TypedDict

import pulumi
import pulumi_kubernetes as k8s

from components.kubernetes import network_policies, pods
from components.kubernetes.cluster_rights import cluster_rights
from components.kubernetes.labels import TEMPORARY, labels, scrape, selector
from components.metrics.prometheus_config import HONOR_LABELS
from settings import sizes, versions
from settings.apps import KUBE_STATE_METRICS

APP = KUBE_STATE_METRICS.name
PORT = KUBE_STATE_METRICS.port
_TELEMETRY_PORT = 8081
# Resource -> (API group, metrics). Each metric adds a series for each object, or container, in the whole cluster.
_METRICS = {
    "pods": (
        "",
        (
            "kube_pod_container_resource_limits",
            "kube_pod_container_resource_requests",
            "kube_pod_container_status_waiting_reason",
            "kube_pod_init_container_status_waiting_reason",
            "kube_pod_container_status_last_terminated_reason",
            "kube_pod_container_status_last_terminated_timestamp",
            "kube_pod_container_status_restarts_total",
            "kube_pod_info",
            "kube_pod_status_phase",
        ),
    ),
    "namespaces": ("", ("kube_namespace_labels",)),
    "nodes": ("", ("kube_node_spec_unschedulable", "kube_node_status_allocatable", "kube_node_status_condition")),
    "resourcequotas": ("", ("kube_resourcequota",)),
    "persistentvolumes": ("", ("kube_persistentvolume_status_phase",)),
    "persistentvolumeclaims": (
        "",
        ("kube_persistentvolumeclaim_access_mode", "kube_persistentvolumeclaim_status_phase"),
    ),
    "statefulsets": ("apps", ("kube_statefulset_replicas", "kube_statefulset_status_replicas_ready")),
    "deployments": (
        "apps",
        (
            "kube_deployment_spec_replicas",
            "kube_deployment_status_condition",
            "kube_deployment_status_observed_generation",
            "kube_deployment_status_replicas_available",
        ),
    ),
    "daemonsets": (
        "apps",
        ("kube_daemonset_status_desired_number_scheduled", "kube_daemonset_status_number_available"),
    ),
    "jobs": ("batch", ("kube_job_failed",)),
    "horizontalpodautoscalers": (
        "autoscaling",
        (
            "kube_horizontalpodautoscaler_spec_max_replicas",
            "kube_horizontalpodautoscaler_spec_min_replicas",
            "kube_horizontalpodautoscaler_status_current_replicas",
        ),
    ),
}
METRICS = tuple(metric for _, metrics in _METRICS.values() for metric in metrics)
"""All exposed metrics."""


class KubeStateMetricsArgs(TypedDict):
    """Arguments of KubeStateMetrics."""

    namespace: pulumi.Input[str]
    """An existing namespace."""
    memory: str
    """Request and limit. It caches all pods of the cluster: about 60 MiB, and 10 MiB more for every 1,000 pods."""
    prometheus: str
    """App in the same namespace that scrapes it."""


class KubeStateMetrics(pulumi.ComponentResource):
    """Exposes the state of the cluster's objects, which it reads from the API server."""

    def __init__(self, name: str, args: KubeStateMetricsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:KubeStateMetrics", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        namespace = args["namespace"]
        access = _rights(name, namespace, child)
        network_policies.app_network(
            f"{name}-network",
            {
                "app": APP,
                "namespace": namespace,
                "ingress": [
                    {
                        "from_": [network_policies.app_here(args["prometheus"])],
                        "ports": network_policies.tcp(PORT, _TELEMETRY_PORT),
                    }
                ],
                # The API server. It is not a pod, so no selector can name it.
                "egress": [{"ports": network_policies.tcp(443, 6443)}],
            },
            child,
        )
        k8s.apps.v1.Deployment(
            f"{name}-deployment",
            metadata={"name": APP, "namespace": namespace, "labels": labels(APP, versions.KUBE_STATE_METRICS)},
            spec={
                # One replica: it only repeats the API server's state, and two would expose every series twice.
                "replicas": 1,
                "strategy": {"type": "Recreate"},
                "selector": {"match_labels": selector(APP)},
                "template": {
                    "metadata": {
                        "labels": labels(APP, versions.KUBE_STATE_METRICS),
                        # Prometheus scrapes its own metrics like any pod's, and its metrics of other pods in a job that
                        # keeps those pods' names.
                        "annotations": {**scrape(_TELEMETRY_PORT), HONOR_LABELS: "true"},
                    },
                    "spec": _pod(args),
                },
            },
            opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=[access])),
        )
        self.register_outputs({"metrics": list(METRICS)})


def _pod(args: KubeStateMetricsArgs) -> k8s.core.v1.PodSpecArgsDict:
    return {
        "service_account_name": APP,
        "automount_service_account_token": True,
        "enable_service_links": False,
        "security_context": pods.pod_security(pods.USERS[APP]),
        "termination_grace_period_seconds": 10,
        "containers": [
            pods.secured(
                {
                    "name": APP,
                    "image": versions.KUBE_STATE_METRICS_IMAGE,
                    # The image's entrypoint sets the ports, too. These come last and take precedence.
                    "args": [
                        f"--port={PORT}",
                        f"--telemetry-port={_TELEMETRY_PORT}",
                        f"--resources={','.join(_METRICS)}",
                        f"--metric-allowlist={','.join(METRICS)}",
                        f"--metric-labels-allowlist=namespaces=[{TEMPORARY}]",
                    ],
                    "ports": [
                        {"name": "http", "container_port": PORT, "protocol": "TCP"},
                        {"name": "telemetry", "container_port": _TELEMETRY_PORT, "protocol": "TCP"},
                    ],
                    "resources": pods.resources(cores=sizes.CPU[APP], memory=args["memory"]),
                    "startup_probe": pods.http_probe("/healthz", "http", failures=24),
                    # Not /livez, which depends on the API server: a restart here does not end its outage.
                    "liveness_probe": pods.http_probe("/healthz", "http", failures=6),
                    "readiness_probe": pods.http_probe("/readyz", "telemetry"),
                }
            )
        ],
    }


def _rights(name: str, namespace: pulumi.Input[str], child: pulumi.ResourceOptions) -> pulumi.Resource:
    """Cluster-wide permission to list and watch the resources in _METRICS."""
    groups: dict[str, list[str]] = {}
    for resource, (group, _) in _METRICS.items():
        groups.setdefault(group, []).append(resource)
    return cluster_rights(
        name,
        f"{name}-reader",
        app=APP,
        namespace=namespace,
        rules=[
            {"api_groups": [group], "resources": resources, "verbs": ["list", "watch"]}
            for group, resources in groups.items()
        ],
        child=child,
    )
