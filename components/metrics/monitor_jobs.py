"""Renders what all scrape jobs of monitors have in common, for the program that reads the monitors. Pure.

The same bounds hold for a target of a monitor as for a pod with annotations, see prometheus_config.
"""

import json
from collections.abc import Sequence
from typing import Any

from alerting.durations import seconds
from components.metrics import scrape_claims
from components.metrics.prometheus_config import FOREIGN_NODE_EXPORTER, SAME_PLACE, limits, timeout
from components.metrics.relabeling import ANNOTATION, POD, keep, pod_address, pod_labels, running
from settings import sizes

JOBS = (
    *("pods", "exporters", "span-metrics", "kubelet", "cadvisor", "kube-apiserver", "coredns", "aws-node", "karpenter"),
    *("node-exporter", "kube-state-metrics", "prometheus-node-exporter", "otlp"),
)
"""Values of the label `job` that only the platform's own jobs, and pushed series, have in any stack."""
_NAMESPACE = "__meta_kubernetes_namespace"
# Discovered labels of targets that no job took, for Prometheus' page on targets. By default it keeps all.
_KEPT_DROPPED = 10


def render(
    *,
    scrape_interval: str,
    memory: int,
    platform_namespaces: Sequence[str],
    listed_namespaces: Sequence[str],
    foreign_node_exporter: bool,
) -> str:
    """JSON of monitors.convert.Common, for servers with `memory` bytes.

    Monitors of the `listed_namespaces` may select pods of other namespaces, but none of the platform's.
    """
    units, share = sizes.monitored_endpoints(memory)
    pod = [_NAMESPACE, f"{POD}name", f"{POD}node_name"]
    common: dict[str, Any] = {
        "job": {**limits(sizes.target_samples(memory)), "keep_dropped_targets": _KEPT_DROPPED, **SAME_PLACE},
        "filters": [
            {"action": "drop", "source_labels": [_NAMESPACE], "regex": "|".join(platform_namespaces)},
            # The address of a pod that has ended may be another's by now.
            running(),
            # These jobs scrape it.
            {"action": "drop", "source_labels": [f"{ANNOTATION}scrape"], "regex": "true"},
            *([{**keep(*FOREIGN_NODE_EXPORTER), "action": "drop"}] if foreign_node_exporter else []),
        ],
        # The address of a pod on the node's network is the node's, with all ports of the node.
        "filters_of_own": [
            {"action": "dropequal", "source_labels": [f"{POD}ip"], "target_label": f"{POD}host_ip"},
        ],
        "labels": [
            # Endpoints of a Service may name any address, and monitors may drop what discovery says.
            keep([*pod, f"{POD}ip", "__address__"], r".+;.+;.+;[0-9a-f.:]+;.*:\d+"),
            *pod_address("__address__", r".*:(\d+)"),
            *pod_labels(),
            # Rules find the target of a series by its job and instance.
            {"source_labels": ["__address__"], "target_label": "instance"},
            *scrape_claims.renamed(),
        ],
        # No monitor's targets are trusted exporters.
        "samples": scrape_claims.relabeling(trusted=()),
        "jobs": list(JOBS),
        "closed": list(platform_namespaces),
        "listed": list(listed_namespaces),
        "interval": int(seconds(scrape_interval) * 1000),
        "timeout": int(seconds(timeout(scrape_interval)) * 1000),
        "units": units,
        "share": share,
    }
    return json.dumps(common, indent=1)
