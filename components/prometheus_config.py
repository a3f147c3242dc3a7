"""prometheus.yml, rendered: what is scraped, which labels series get, and who is told of alerts. Pure."""

from collections.abc import Sequence
from typing import Any

from rules.durations import seconds
from rules.loader import write_yaml

RULES_FOLDER = "/etc/prometheus/rules"
CONFIG_FOLDER = "/etc/prometheus/config"

_POD = "__meta_kubernetes_pod_"
_ANNOTATION = f"{_POD}annotation_prometheus_io_"
_LONGEST_SCRAPE = 10.0


def render(*, cluster: str, scrape_interval: str, evaluation_interval: str, alertmanagers: Sequence[str]) -> str:
    """The configuration for servers of one cluster; `alertmanagers` are host:port of every replica."""
    timeout = scrape_interval if seconds(scrape_interval) < _LONGEST_SCRAPE else f"{_LONGEST_SCRAPE:.0f}s"
    document: dict[str, Any] = {
        "global": {
            "scrape_interval": scrape_interval,
            "scrape_timeout": timeout,
            "evaluation_interval": evaluation_interval,
            # Targets that have native histograms send both forms: rules and dashboards name the classic buckets.
            "scrape_native_histograms": True,
            "always_scrape_classic_histograms": True,
            "external_labels": {"cluster": cluster, "prometheus_replica": "${POD_NAME}"},
        },
        "storage": {"exemplars": {"max_exemplars": 100_000}},
        "rule_files": [f"{RULES_FOLDER}/*.yaml"],
        "alerting": {
            # Both servers send each alert; without the replica's name the two are one alert to Alertmanager.
            "alert_relabel_configs": [{"action": "labeldrop", "regex": "prometheus_replica"}],
            # Every replica gets every alert: they gossip about what they notified, not about alerts.
            "alertmanagers": [{"static_configs": [{"targets": list(alertmanagers)}]}],
        },
        "scrape_configs": [
            {"job_name": "pods", "kubernetes_sd_configs": [{"role": "pod"}], "relabel_configs": _pod_relabeling()}
        ],
    }
    return write_yaml(document)


def _pod_relabeling() -> list[dict[str, Any]]:
    """Pods that ask for it by the annotations prometheus.io/scrape, port, path and scheme.

    Discovery gives one target per port that a pod declares. None of the labels below depends on the declared port, so
    with the port annotation all of them become the same target, and a pod that declares none is scraped, too.
    """
    return [
        {"action": "keep", "source_labels": [f"{_ANNOTATION}scrape"], "regex": "true"},
        {"action": "drop", "source_labels": [f"{_POD}phase"], "regex": "Succeeded|Failed"},
        _set("__scheme__", f"{_ANNOTATION}scheme", regex="(https?)"),
        _set("__metrics_path__", f"{_ANNOTATION}path"),
        {
            "source_labels": [f"{_POD}ip", f"{_ANNOTATION}port"],
            "regex": r"([0-9.]+);(\d+)",
            "replacement": "$1:$2",
            "target_label": "__address__",
        },
        {
            "source_labels": [f"{_POD}ip", f"{_ANNOTATION}port"],
            "regex": r"([0-9a-f]*:[0-9a-f:.]+);(\d+)",
            "replacement": "[$1]:$2",
            "target_label": "__address__",
        },
        _set("namespace", "__meta_kubernetes_namespace"),
        _set("pod", f"{_POD}name"),
        _set("node", f"{_POD}node_name"),
        _set("app", f"{_POD}label_app_kubernetes_io_name"),
    ]


def _set(target: str, source: str, *, regex: str = "(.+)") -> dict[str, Any]:
    return {"source_labels": [source], "regex": regex, "target_label": target}
