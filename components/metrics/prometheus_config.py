"""Renders prometheus.yml: scrape jobs, labels of series, and Alertmanagers. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from alerting.durations import seconds
from alerting.loader import write_yaml
from components.metrics import cluster_jobs, eks_jobs, scrape_claims
from components.metrics.relabeling import ANNOTATION, POD, keep, pod_address, pod_labels, running, set_label
from components.metrics.remote_write import ALL_METRICS, CopiedMetrics, remote_write
from settings.apps import NODE_EXPORTER, PROMETHEUS_RULES

CONFIG_FOLDER = "/etc/prometheus/config"
MONITORS_FOLDER = "/etc/prometheus/monitors"
"""Folder of the jobs that monitors of the cluster ask for."""

# A restarted server takes over how long an alert has been active. By default it does so only from `for: 10m` on; all
# other alerts would wait again, and be resolved in Alertmanager meanwhile.
# A page of another site in a person's browser may not read the API; by default all may. Grafana asks from its server.
FLAGS = ("--rules.alert.for-grace-period=0s", "--web.enable-otlp-receiver", "--web.cors.origin=")
"""Command line flags for the rules, for metrics that gateways deliver, and for browsers."""

OUT_OF_ORDER = "30m"
"""Age up to which a pushed point is accepted after later ones: two gateways deliver, and try again after an outage."""

PUSHED_LABELS = ("namespace", "pod", "node", "app", "service")
"""Resource attributes that become labels of every pushed series, as a scraped series has them."""

HONOR_LABELS = "observability/honor-labels"
"""Annotation ("true") of pods in Prometheus' own namespace whose port `http` exposes metrics of other pods."""
SPAN_METRICS_PORT = "span-metrics"
"""Name of the container port that exposes span metrics, in Prometheus' own namespace."""


@dataclass(frozen=True, kw_only=True)
class AddOn:
    """An EKS add-on that exposes metrics. Its namespace has its name."""

    port: int
    app: str
    """The platform's own exporter that it replaces."""
    honor_labels: bool
    """Whether it exposes metrics of other pods."""


FOREIGN_NODE_EXPORTER = (
    [f"{POD}label_app_kubernetes_io_name", f"{POD}container_port_number"],
    f"(?:prometheus-)?node-exporter;{NODE_EXPORTER.port}",
)
"""Labels, and what they are for a node_exporter that others run."""

ADDONS = {
    "kube-state-metrics": AddOn(port=8080, app="kube-state-metrics", honor_labels=True),
    "prometheus-node-exporter": AddOn(port=9100, app="node-exporter", honor_labels=False),
}
"""EKS add-on -> how to scrape it."""

LABEL_LIMITS = {
    # A program has some ten, a kube-state-metrics of others one for each label of an object. Managed Prometheus took
    # 70 of a series when it was new, two of which each server adds.
    "label_limit": 64,
    # A label of a Kubernetes object has at most 317 letters, which kube-state-metrics exposes with a prefix.
    "label_name_length_limit": 512,
    # As in Mimir and the stores made of it: an address, a statement, or an image with its digest is shorter.
    "label_value_length_limit": 2048,
}
"""Limits of the labels of one series. Those of its target and its name count, too."""

_LONGEST_SCRAPE = 10.0
# The gateways' dimension `k8s.namespace.name`, as Prometheus writes it.
_SPANS_NAMESPACE = "k8s_namespace_name"
# Parameters of an annotated path that are passed on.
_PARAMETERS = 4
# Longer than the text of nearly every sample.
_SAMPLE_BYTES = 1024


# A redirect would send Prometheus, which may connect to every pod, to an address of the target's choice: to its own
# API, or to an endpoint that ends another program.
SAME_PLACE = {"follow_redirects": False}
"""Field of every scrape job: Prometheus follows no redirect."""


def timeout(scrape_interval: str) -> str:
    """Time after which a scrape has failed, where no job says another."""
    return scrape_interval if seconds(scrape_interval) < _LONGEST_SCRAPE else f"{_LONGEST_SCRAPE:.0f}s"


def render(  # noqa: PLR0913 -- each sets a part of the configuration
    *,
    cluster: str,
    scrape_interval: str,
    evaluation_interval: str,
    alertmanagers: Sequence[str],
    remote_write_url: str = "",
    copied: CopiedMetrics = ALL_METRICS,
    addons: Sequence[str] = (),
    foreign_node_exporter: bool = False,
    verify_kubelets: bool = False,
    eks: bool = False,
    target_samples: int | None = None,
    trusted_namespaces: Sequence[str] = (),
    monitors: bool = False,
) -> str:
    """The configuration of a cluster's servers. `alertmanagers` are host:port of each replica.

    Prometheus refuses a scrape of an observed pod with more than `target_samples`, see sizes.target_samples, and counts
    its target as down. With `foreign_node_exporter`, the cluster runs a node_exporter that is not the platform's.
    Pods in the `trusted_namespaces` may expose metrics of nodes and of Kubernetes' objects, see scrape_claims.
    With `verify_kubelets`, the cluster's CA must have signed the certificates of kubelets. With `eks`, the cluster is
    one of EKS, see eks_jobs. With `monitors`, the files in MONITORS_FOLDER have further jobs, see monitor_jobs.

    `remote_write_url` receives the samples of `copied`; empty for none.
    `addons` are the EKS add-ons in ADDONS that replace the platform's own exporters.
    """
    claims = scrape_claims.relabeling(trusted=trusted_namespaces, node_names=foreign_node_exporter)
    jobs = [
        {
            "job_name": "pods",
            "kubernetes_sd_configs": [{"role": "pod"}],
            **limits(target_samples),
            "relabel_configs": _pod_relabeling(),
            "metric_relabel_configs": claims,
        },
        _exporters(),
        _span_metrics(),
        *cluster_jobs.jobs(scrape_interval, verify_kubelets=verify_kubelets),
        *(eks_jobs.jobs() if eks else ()),
        *(_addon(addon, ADDONS[addon]) for addon in addons),
    ]
    if foreign_node_exporter:
        jobs.append(_foreign_node_exporter() | limits(target_samples) | {"metric_relabel_configs": claims})
    document: dict[str, Any] = {
        "global": {
            "scrape_interval": scrape_interval,
            "scrape_timeout": timeout(scrape_interval),
            "evaluation_interval": evaluation_interval,
            # Targets with native histograms send both forms, because rules and dashboards use the classic buckets.
            "scrape_native_histograms": True,
            "always_scrape_classic_histograms": True,
            "external_labels": {"cluster": cluster, "prometheus_replica": "${POD_NAME}"},
        },
        "storage": {
            "exemplars": {"max_exemplars": 100_000},
            "tsdb": {"out_of_order_time_window": OUT_OF_ORDER},
        },
        "otlp": {
            "promote_resource_attributes": list(PUSHED_LABELS),
            # Two libraries of a program may name a metric alike.
            "promote_scope_metadata": True,
        },
        "rule_files": [f"{PROMETHEUS_RULES}/*.yaml"],
        "alerting": {
            # All servers send each alert. Without the replica's name, Alertmanager recognizes them as one alert.
            "alert_relabel_configs": [{"action": "labeldrop", "regex": "prometheus_replica"}],
            # Each alert goes to every Alertmanager, because they gossip about notifications, not about alerts.
            "alertmanagers": [{"static_configs": [{"targets": list(alertmanagers)}]}],
        },
        "scrape_configs": [job | SAME_PLACE for job in jobs],
    }
    if monitors:
        document["scrape_config_files"] = [f"{MONITORS_FOLDER}/*.json"]
    if remote_write_url:
        document["remote_write"] = [remote_write(remote_write_url, copied)]
    return write_yaml(document)


def _exporters() -> dict[str, Any]:
    """Exporters of other pods' metrics, whose labels `namespace` and `pod` take precedence over the target's.

    An exporter with this right can impersonate any pod, so only those in Prometheus' own namespace are scraped.
    """
    annotation = f"{POD}annotation_{re.sub('[^a-zA-Z0-9]', '_', HONOR_LABELS)}"
    return {
        "job_name": "exporters",
        "honor_labels": True,
        "kubernetes_sd_configs": _own_pods(),
        "relabel_configs": [
            keep([annotation, f"{POD}container_port_name"], "true;http"),
            running(),
            *pod_labels(),
        ],
    }


def _addon(name: str, addon: AddOn) -> dict[str, Any]:
    """An EKS add-on, which has no annotations. Its series get the labels of the exporter that it replaces.

    Only pods in its own namespace are scraped, see _exporters.
    """
    discovered = [f"{POD}label_app_kubernetes_io_name", f"{POD}container_port_number"]
    return {
        "job_name": name,
        "honor_labels": addon.honor_labels,
        "kubernetes_sd_configs": [{"role": "pod", "namespaces": {"names": [name]}}],
        "relabel_configs": [
            keep(discovered, f"{name};{addon.port}"),
            running(),
            *pod_labels(),
            {"target_label": "app", "replacement": addon.app},
            {"target_label": "job", "replacement": "exporters" if addon.honor_labels else "pods"},
        ],
    }


def _foreign_node_exporter() -> dict[str, Any]:
    """A node_exporter that a chart of others runs, without annotations. The job `pods` scrapes those that have them."""
    return {
        "job_name": "node-exporter",
        "kubernetes_sd_configs": [{"role": "pod"}],
        "relabel_configs": [
            keep(*FOREIGN_NODE_EXPORTER),
            {"action": "drop", "source_labels": [f"{ANNOTATION}scrape"], "regex": "true"},
            running(),
            *pod_labels(),
            {"target_label": "app", "replacement": NODE_EXPORTER.name},
            {"target_label": "job", "replacement": "pods"},
        ],
    }


def limits(target_samples: int | None) -> dict[str, Any]:
    """Limits of one scrape. Both servers scrape every target, so one with endless series would end both.

    A scrape above one of them fails as a whole, for this target only, and TargetDown tells. Not limited are the
    platform's own exporters, because one long label of some object would then hide all objects; the gateways cut what
    spans name. A `target_limit` counts the targets of the job: above it, Prometheus scrapes no pod at all.
    """
    if target_samples is None:
        return {}
    return {"sample_limit": target_samples, "body_size_limit": f"{target_samples * _SAMPLE_BYTES}B", **LABEL_LIMITS}


def _span_metrics() -> dict[str, Any]:
    """Span metrics of the gateways, with exemplars. The job `pods` scrapes the gateways' other metrics."""
    return {
        "job_name": "span-metrics",
        "kubernetes_sd_configs": _own_pods(),
        "relabel_configs": [
            keep([f"{POD}container_port_name"], SPAN_METRICS_PORT),
            running(),
            *pod_labels(),
        ],
        # The namespace of a series is that of the spans, not of the gateway; none for programs on the host network.
        "metric_relabel_configs": [
            {"source_labels": [_SPANS_NAMESPACE], "target_label": "namespace"},
            {"action": "labeldrop", "regex": _SPANS_NAMESPACE},
        ],
    }


def _pod_relabeling() -> list[dict[str, Any]]:
    """Selects pods by the annotations prometheus.io/scrape, port, path and scheme.

    Discovery returns a target for each port that a pod declares. No label below depends on the declared port, so the
    port annotation merges them into one target. A pod that declares no port is scraped, too.
    """
    return [
        keep([f"{ANNOTATION}scrape"], "true"),
        running(),
        set_label("__scheme__", f"{ANNOTATION}scheme", regex="(https?)"),
        set_label("__metrics_path__", f"{ANNOTATION}path", regex="([^?]+).*"),
        *(_parameter(number) for number in range(_PARAMETERS)),
        *pod_address(f"{ANNOTATION}port", r"(\d+)"),
        *pod_labels(),
    ]


def _parameter(number: int) -> dict[str, Any]:
    """Takes the parameter with this number from the query of a path, such as `/metrics?format=prometheus`."""
    before = "[^&]*&" * number
    return {
        "source_labels": [f"{ANNOTATION}path"],
        "regex": rf"[^?]*\?{before}([a-zA-Z_]\w*)=([^&]*)(?:&.*)?",
        "target_label": "__param_${1}",
        "replacement": "${2}",
    }


def _own_pods() -> list[dict[str, Any]]:
    return [{"role": "pod", "namespaces": {"own_namespace": True}}]
