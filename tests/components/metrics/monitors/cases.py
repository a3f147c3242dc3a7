"""Monitors for tests, and what the converter makes of them."""

import json
from typing import Any

from components.metrics import monitor_jobs
from components.metrics.monitors import convert
from components.metrics.monitors.convert import Common, Monitor
from components.metrics.monitors.fields import SkippedError
from settings import sizes

SERVICE, POD = "ServiceMonitor", "PodMonitor"
PLATFORM = ("observability", "observability-agent")
LISTED = "monitoring"
"""A namespace whose monitors may select pods of others."""
MEMORY = 2**31
SAMPLES = sizes.target_samples(MEMORY)


def common(**changes: Any) -> Common:
    """The common part of all jobs, as a stack renders it."""
    given: dict[str, Any] = {
        "scrape_interval": "30s",
        "memory": MEMORY,
        "platform_namespaces": PLATFORM,
        "listed_namespaces": [LISTED],
        "foreign_node_exporter": False,
    }
    return Common(**json.loads(monitor_jobs.render(**(given | changes))))


def jobs(
    kind: str, spec: dict[str, Any], namespace: str = "shop", name: str = "till", **changes: Any
) -> list[dict[str, Any]]:
    """The jobs of a monitor with this spec. Raises SkippedError."""
    monitor = Monitor(kind, namespace, name)
    return [json.loads(job.text) for job in convert.jobs(monitor, {"spec": spec}, common(**changes))]


def job(kind: str, endpoint: dict[str, Any], namespace: str = "shop", **spec: Any) -> dict[str, Any]:
    """The job of the only endpoint of a monitor."""
    field = "endpoints" if kind == SERVICE else "podMetricsEndpoints"
    (found,) = jobs(kind, {field: [endpoint], **spec}, namespace)
    return found


def reason(kind: str, endpoint: dict[str, Any], namespace: str = "shop", **spec: Any) -> str:
    """Why such a monitor is skipped; empty if it is not."""
    try:
        job(kind, endpoint, namespace, **spec)
    except SkippedError as error:
        return error.reason
    return ""


def relabeled(document: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The relabelings of targets: action, source labels, expression, target label, replacement."""
    return [
        tuple(one.get(key) for key in ("action", "source_labels", "regex", "target_label", "replacement"))
        for one in document["relabel_configs"]
    ]
