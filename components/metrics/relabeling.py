"""Building blocks of Prometheus' relabeling, which several scrape jobs share. Pure."""

from typing import Any

POD = "__meta_kubernetes_pod_"
"""Prefix of what discovery says about a pod."""
ANNOTATION = f"{POD}annotation_prometheus_io_"
"""Prefix of a pod's annotations prometheus.io/…."""


def set_label(target: str, source: str, *, regex: str = "(.+)") -> dict[str, Any]:
    """Copies the label `source` to `target` if it matches."""
    return {"source_labels": [source], "regex": regex, "target_label": target}


def pod_labels() -> list[dict[str, Any]]:
    """Labels of every series of a pod, besides `job`."""
    return [
        set_label("namespace", "__meta_kubernetes_namespace"),
        set_label("pod", f"{POD}name"),
        set_label("node", f"{POD}node_name"),
        # A series keeps its own label `app` only if the target has none.
        {"target_label": "app", "replacement": "unknown"},
        set_label("app", f"{POD}label_app_kubernetes_io_name"),
    ]


def pod_address(source: str, port: str) -> list[dict[str, Any]]:
    """Sets the address to that of the pod; its port is the group of the expression `port` for the label `source`."""
    forms = {"([0-9.]+)": "$1:$2", "([0-9a-f]*:[0-9a-f:.]+)": "[$1]:$2"}
    return [
        {
            "source_labels": [f"{POD}ip", source],
            "regex": f"{address};{port}",
            "replacement": form,
            "target_label": "__address__",
        }
        for address, form in forms.items()
    ]


def keep(labels: list[str], regex: str) -> dict[str, Any]:
    """Keeps what has these labels: their values, with `;` between them, match."""
    return {"action": "keep", "source_labels": labels, "regex": regex}


def running() -> dict[str, Any]:
    """Drops pods that have ended."""
    return {"action": "drop", "source_labels": [f"{POD}phase"], "regex": "Succeeded|Failed"}
