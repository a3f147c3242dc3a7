"""kube-state-metrics: what Kubernetes knows of pods and replicas, as metrics. Only what rules and dashboards read."""

from typing import TypedDict

import pulumi
import pulumi_kubernetes as k8s

from components.kubernetes import network_policies, pods
from components.kubernetes.cluster_rights import cluster_rights
from components.kubernetes.labels import labels, scrape, selector
from components.metrics.prometheus_config import HONOR_LABELS
from settings import sizes, versions
from settings.apps import KUBE_STATE_METRICS

APP = KUBE_STATE_METRICS.name
PORT = KUBE_STATE_METRICS.port
_TELEMETRY_PORT = 8081
# Kind of object -> (API group, metrics). Each metric costs a series per object, or per container, of the whole cluster.
_METRICS = {
    "pods": (
        "",
        (
            "kube_pod_container_status_waiting_reason",
            "kube_pod_init_container_status_waiting_reason",
            "kube_pod_container_status_last_terminated_reason",
            "kube_pod_container_status_restarts_total",
            "kube_pod_status_phase",
        ),
    ),
    "statefulsets": ("apps", ("kube_statefulset_replicas", "kube_statefulset_status_replicas_ready")),
    "deployments": ("apps", ("kube_deployment_spec_replicas", "kube_deployment_status_replicas_available")),
    "daemonsets": (
        "apps",
        ("kube_daemonset_status_desired_number_scheduled", "kube_daemonset_status_number_available"),
    ),
}
METRICS = tuple(metric for _, metrics in _METRICS.values() for metric in metrics)
"""Every metric that it exposes."""


class KubeStateMetricsArgs(TypedDict):
    """Arguments of KubeStateMetrics."""

    namespace: pulumi.Input[str]
    """Namespace that already exists."""
    memory: str
    """Request and limit. It holds every pod of the cluster: about 60 MiB and 10 MiB more per 1,000 pods."""
    prometheus: str
    """App whose pods, in the same namespace, scrape it."""


class KubeStateMetrics(pulumi.ComponentResource):
    """State of the cluster's objects, read from the API server."""

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
                # The API server, which no selector can name: its address is not a pod's.
                "egress": [{"ports": network_policies.tcp(443, 6443)}],
            },
            child,
        )
        k8s.apps.v1.Deployment(
            f"{name}-deployment",
            metadata={"name": APP, "namespace": namespace, "labels": labels(APP, versions.KUBE_STATE_METRICS)},
            spec={
                # One: it only repeats what the API server says, and two would expose every series twice.
                "replicas": 1,
                "strategy": {"type": "Recreate"},
                "selector": {"match_labels": selector(APP)},
                "template": {
                    "metadata": {
                        "labels": labels(APP, versions.KUBE_STATE_METRICS),
                        # Its own metrics like those of any pod; what it says of others in a job that keeps their names.
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
        "security_context": pods.pod_security(),
        "termination_grace_period_seconds": 10,
        "containers": [
            pods.secured(
                {
                    "name": APP,
                    "image": versions.KUBE_STATE_METRICS_IMAGE,
                    # The image's entrypoint names the ports, too; ours come last and count.
                    "args": [
                        f"--port={PORT}",
                        f"--telemetry-port={_TELEMETRY_PORT}",
                        f"--resources={','.join(_METRICS)}",
                        f"--metric-allowlist={','.join(METRICS)}",
                    ],
                    "ports": [
                        {"name": "http", "container_port": PORT, "protocol": "TCP"},
                        {"name": "telemetry", "container_port": _TELEMETRY_PORT, "protocol": "TCP"},
                    ],
                    "resources": pods.resources(cores=sizes.CPU[APP], memory=args["memory"]),
                    "startup_probe": pods.http_probe("/healthz", "http", failures=24),
                    # Not /livez: that one asks the API server, whose outage a restart here does not end.
                    "liveness_probe": pods.http_probe("/healthz", "http", failures=6),
                    "readiness_probe": pods.http_probe("/readyz", "telemetry"),
                }
            )
        ],
    }


def _rights(name: str, namespace: pulumi.Input[str], child: pulumi.ResourceOptions) -> pulumi.Resource:
    """Listing and watching the kinds of _METRICS, cluster-wide; nothing else."""
    groups: dict[str, list[str]] = {}
    for kind, (group, _) in _METRICS.items():
        groups.setdefault(group, []).append(kind)
    return cluster_rights(
        name,
        f"{name}-reader",
        app=APP,
        namespace=namespace,
        rules=[
            {"api_groups": [group], "resources": kinds, "verbs": ["list", "watch"]} for group, kinds in groups.items()
        ],
        child=child,
    )
