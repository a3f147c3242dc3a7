"""Scrape jobs of what only clusters on EKS run: Amazon's network plugin and Karpenter. Pure.

Neither has annotations as it is installed, so the job `pods` does not find them. No rule reads them yet: each job keeps
the few metrics that tell of a lack of addresses or of nodes. A cluster in Auto Mode has no pods of either, nor targets.
"""

from typing import Any

from components.metrics.relabeling import ANNOTATION, POD, keep, pod_labels, running

NETWORK_PORT = 61678
"""Port of the network plugin's metrics on each node, whose network its pods share."""
NETWORK = (
    "awscni_assigned_ip_addresses",
    "awscni_aws_api_error_count",
    "awscni_eni_allocated",
    "awscni_eni_max",
    "awscni_ip_max",
    "awscni_ipamd_error_count",
    "awscni_no_available_ip_addresses",
    "awscni_total_ip_addresses",
)
"""Metrics of the network plugin: one each, and the errors by operation."""
KARPENTER = (
    "karpenter_cloudprovider_errors_total",
    "karpenter_nodeclaims_created_total",
    "karpenter_nodeclaims_disrupted_total",
    "karpenter_nodeclaims_terminated_total",
    "karpenter_nodepools_limit",
    "karpenter_nodepools_usage",
    "karpenter_scheduler_queue_depth",
)
"""Metrics of Karpenter, by pool; not its series of each node and pod."""

_MOST = 5000
"""Series of a target after relabeling: some 250 pools of Karpenter. Prometheus refuses a scrape with more."""


def jobs() -> list[dict[str, Any]]:
    """The scrape jobs. Without such pods they have no targets."""
    by_number, by_name = f"{POD}container_port_number", f"{POD}container_port_name"
    return [
        {
            "job_name": "aws-node",
            "kubernetes_sd_configs": [{"role": "pod", "namespaces": {"names": ["kube-system"]}}],
            **_selected("aws-node", [f"{POD}label_k8s_app", by_number], str(NETWORK_PORT), NETWORK),
        },
        {
            "job_name": "karpenter",
            # The namespace of its manual since version 1.0, and the one before.
            "kubernetes_sd_configs": [{"role": "pod", "namespaces": {"names": ["kube-system", "karpenter"]}}],
            **_selected("karpenter", [f"{POD}label_app_kubernetes_io_name", by_name], "http-metrics", KARPENTER),
        },
    ]


def _selected(app: str, labels: list[str], port: str, metrics: tuple[str, ...]) -> dict[str, Any]:
    """The part of a job that selects an app's pods and its metrics; `labels` hold the app's name and the port."""
    return {
        "sample_limit": _MOST,
        "relabel_configs": [
            keep(labels, f"{app};{port}"),
            # The job `pods` scrapes those to which somebody gave the annotation.
            {"action": "drop", "source_labels": [f"{ANNOTATION}scrape"], "regex": "true"},
            running(),
            *pod_labels(),
            {"target_label": "app", "replacement": app},
        ],
        "metric_relabel_configs": [keep(["__name__"], "|".join(metrics))],
    }
