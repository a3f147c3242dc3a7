"""prometheus.yml, rendered: what is scraped, which labels series get, and who is told of alerts. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from alerting.durations import seconds
from alerting.loader import write_yaml

RULES_FOLDER = "/etc/prometheus/rules"
CONFIG_FOLDER = "/etc/prometheus/config"

HONOR_LABELS = "observability/honor-labels"
"""Annotation ("true") of pods in Prometheus' own namespace whose port `http` speaks of other pods."""
SPAN_METRICS_PORT = "span-metrics"
"""Name of the container port that exposes metrics of spans, in Prometheus' own namespace."""


@dataclass(frozen=True, kw_only=True)
class AddOn:
    """What an EKS add-on exposes, in the namespace of its name."""

    port: int
    app: str
    """The platform's own exporter that it replaces."""
    honor_labels: bool
    """Whether it speaks of other pods."""


ADDONS = {
    "kube-state-metrics": AddOn(port=8080, app="kube-state-metrics", honor_labels=True),
    "prometheus-node-exporter": AddOn(port=9100, app="node-exporter", honor_labels=False),
}
"""EKS add-on -> how it is asked."""

_POD = "__meta_kubernetes_pod_"
_ANNOTATION = f"{_POD}annotation_prometheus_io_"
_LONGEST_SCRAPE = 10.0
_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 -- where it is, not what


def render(  # noqa: PLR0913 -- each is a line of the configuration
    *,
    cluster: str,
    scrape_interval: str,
    evaluation_interval: str,
    alertmanagers: Sequence[str],
    remote_write_url: str = "",
    aws_region: str = "",
    addons: Sequence[str] = (),
) -> str:
    """The configuration for servers of one cluster; `alertmanagers` are host:port of every replica.

    `remote_write_url` is where every sample is copied to, signed for `aws_region` if it is AWS; empty for nowhere.
    `addons` are EKS add-ons of ADDONS that do the job of the platform's own exporters.
    """
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
            {"job_name": "pods", "kubernetes_sd_configs": [{"role": "pod"}], "relabel_configs": _pod_relabeling()},
            _exporters(),
            _span_metrics(),
            _kubelet(),
            *(_addon(addon, ADDONS[addon]) for addon in addons),
        ],
    }
    if remote_write_url:
        document["remote_write"] = [_remote_write(remote_write_url, aws_region)]
    return write_yaml(document)


def _remote_write(url: str, aws_region: str) -> dict[str, Any]:
    signed = str(urlsplit(url).hostname).endswith(".amazonaws.com")
    return {
        "name": "long-term",
        "url": url,
        "send_exemplars": True,
        # Servers that store for many take one of the replicas by these two labels.
        "write_relabel_configs": [
            {"source_labels": ["prometheus_replica"], "target_label": "__replica__"},
            {"action": "labeldrop", "regex": "prometheus_replica"},
        ],
        # By the identity of the service account.
        **({"sigv4": {"region": aws_region}} if signed else {}),
    }


def _exporters() -> dict[str, Any]:
    """Exporters that speak of other pods: the labels `namespace` and `pod` of their metrics win over the target's.

    Whoever may set these labels can pass for any other pod, so only Prometheus' own namespace is asked.
    """
    annotation = f"{_POD}annotation_{re.sub('[^a-zA-Z0-9]', '_', HONOR_LABELS)}"
    return {
        "job_name": "exporters",
        "honor_labels": True,
        "kubernetes_sd_configs": _own_pods(),
        "relabel_configs": [
            {"action": "keep", "source_labels": [annotation, f"{_POD}container_port_name"], "regex": "true;http"},
            _running(),
            *_pod_labels(),
        ],
    }


def _addon(name: str, addon: AddOn) -> dict[str, Any]:
    """An EKS add-on, which carries no annotations. Its series get the labels of the exporter that it replaces.

    Only its own namespace is asked, see _exporters.
    """
    discovered = [f"{_POD}label_app_kubernetes_io_name", f"{_POD}container_port_number"]
    return {
        "job_name": name,
        "honor_labels": addon.honor_labels,
        "kubernetes_sd_configs": [{"role": "pod", "namespaces": {"names": [name]}}],
        "relabel_configs": [
            {"action": "keep", "source_labels": discovered, "regex": f"{name};{addon.port}"},
            _running(),
            *_pod_labels(),
            {"target_label": "app", "replacement": addon.app},
            {"target_label": "job", "replacement": "exporters" if addon.honor_labels else "pods"},
        ],
    }


def _span_metrics() -> dict[str, Any]:
    """What the Collector's gateways make of spans, with exemplars. Its other metrics come with the job `pods`."""
    return {
        "job_name": "span-metrics",
        "kubernetes_sd_configs": _own_pods(),
        "relabel_configs": [
            {"action": "keep", "source_labels": [f"{_POD}container_port_name"], "regex": SPAN_METRICS_PORT},
            _running(),
            *_pod_labels(),
        ],
    }


def _kubelet() -> dict[str, Any]:
    """How full volumes are, which only the kubelet knows; all else that it exposes is left out."""
    return {
        "job_name": "kubelet",
        "scheme": "https",
        "authorization": {"credentials_file": _TOKEN},
        # The CA that pods get does not sign the kubelets' serving certificates in most clusters (they sign their own),
        # so there is nothing to verify them with. At stake is the token: a false kubelet could read pods, nodes and
        # kubelet metrics with it.
        "tls_config": {"insecure_skip_verify": True},
        "kubernetes_sd_configs": [{"role": "node"}],
        "relabel_configs": [
            _set("node", "__meta_kubernetes_node_name"),
            {"target_label": "app", "replacement": "kubelet"},
        ],
        "metric_relabel_configs": [
            {"action": "keep", "source_labels": ["__name__"], "regex": "kubelet_volume_stats_.+"},
        ],
    }


def _pod_relabeling() -> list[dict[str, Any]]:
    """Pods that ask for it by the annotations prometheus.io/scrape, port, path and scheme.

    Discovery gives one target per port that a pod declares. None of the labels below depends on the declared port, so
    with the port annotation all of them become the same target, and a pod that declares none is scraped, too.
    """
    return [
        {"action": "keep", "source_labels": [f"{_ANNOTATION}scrape"], "regex": "true"},
        _running(),
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
        *_pod_labels(),
    ]


def _own_pods() -> list[dict[str, Any]]:
    return [{"role": "pod", "namespaces": {"own_namespace": True}}]


def _running() -> dict[str, Any]:
    return {"action": "drop", "source_labels": [f"{_POD}phase"], "regex": "Succeeded|Failed"}


def _pod_labels() -> list[dict[str, Any]]:
    """What every series of a pod carries besides `job`."""
    return [
        _set("namespace", "__meta_kubernetes_namespace"),
        _set("pod", f"{_POD}name"),
        _set("node", f"{_POD}node_name"),
        _set("app", f"{_POD}label_app_kubernetes_io_name"),
    ]


def _set(target: str, source: str, *, regex: str = "(.+)") -> dict[str, Any]:
    return {"source_labels": [source], "regex": regex, "target_label": target}
