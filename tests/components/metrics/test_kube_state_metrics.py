"""kube-state-metrics exposes the metrics that rules need, and may read only the objects behind them."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from alerting import loader, missing_metrics
from components.kubernetes.labels import TEMPORARY
from components.metrics import kube_state_metrics, prometheus_config
from components.metrics.kube_state_metrics import METRICS, KubeStateMetrics
from tests.mock_engine import Recorded

Engine = Callable[..., Recorded]


@pytest.fixture
def exporter(engine: Engine, preview: bool) -> Recorded:
    return engine(
        lambda: KubeStateMetrics("state", {"namespace": "home", "memory": "96Mi", "prometheus": "prometheus"}),
        preview=preview,
    )


def pod(exporter: Recorded) -> dict[str, Any]:
    (one,) = exporter.pods
    assert one.pod
    return one.pod


def flags(exporter: Recorded) -> dict[str, list[str]]:
    (container,) = pod(exporter)["spec"]["containers"]
    pairs = [argument.removeprefix("--").split("=", 1) for argument in container["args"]]
    return {name: value.split(",") for name, value in pairs}


def test_it_may_list_and_watch_only_the_exposed_kinds(exporter: Recorded) -> None:
    role = exporter.one("ClusterRole", "home-kube-state-metrics")
    assert role.inputs["rules"] == [
        {
            "apiGroups": [""],
            "resources": [
                "pods",
                "namespaces",
                "nodes",
                "resourcequotas",
                "persistentvolumes",
                "persistentvolumeclaims",
            ],
            "verbs": ["list", "watch"],
        },
        {"apiGroups": ["apps"], "resources": ["statefulsets", "deployments", "daemonsets"], "verbs": ["list", "watch"]},
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["list", "watch"]},
        {"apiGroups": ["autoscaling"], "resources": ["horizontalpodautoscalers"], "verbs": ["list", "watch"]},
    ]
    named = [kind for rule in role.inputs["rules"] for kind in rule["resources"]]
    assert sorted(named) == sorted(flags(exporter)["resources"])
    binding = exporter.one("ClusterRoleBinding", "home-kube-state-metrics")
    assert binding.inputs["subjects"] == [{"kind": "ServiceAccount", "name": "kube-state-metrics", "namespace": "home"}]


def test_it_exposes_every_metric_that_a_rule_reads() -> None:
    read = {name for rule in loader.load().rules().values() for name in _names(rule.expr) if name.startswith("kube_")}
    assert read
    assert read <= set(METRICS)


def test_each_metric_belongs_to_a_kind_that_is_watched(exporter: Recorded) -> None:
    assert tuple(flags(exporter)["metric-allowlist"]) == METRICS
    kinds = {f"{match[1]}s" for metric in METRICS if (match := re.match(r"kube_([a-z]+)", metric))}
    assert kinds == set(flags(exporter)["resources"])


def test_rules_read_the_label_of_temporary_namespaces_as_it_is_exposed(exporter: Recorded) -> None:
    assert flags(exporter)["metric-labels-allowlist"] == [f"namespaces=[{TEMPORARY}]"]
    exposed = "label_" + re.sub(r"\W", "_", TEMPORARY)
    rules = {name: rule.expr for name, rule in loader.load().rules().items() if name != missing_metrics.ALERT}
    read = [text for text in rules.values() if "kube_namespace_labels" in text]
    assert len(read) >= 4
    assert all(f'kube_namespace_labels{{{exposed}="true"}}' in text for text in read)


def test_only_prometheus_scrapes_both_of_its_ports(exporter: Recorded) -> None:
    annotations = pod(exporter)["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == "8081"  # metrics about itself, job `pods`
    assert annotations[prometheus_config.HONOR_LABELS] == "true"  # metrics about objects, job `exporters`
    ports = {port["name"]: port["containerPort"] for port in pod(exporter)["spec"]["containers"][0]["ports"]}
    assert ports == {"http": 8080, "telemetry": 8081}
    (rule,) = exporter.one("NetworkPolicy", "kube-state-metrics").inputs["spec"]["ingress"]
    assert {port["port"] for port in rule["ports"]} == set(ports.values())
    assert rule["from"] == [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "prometheus"}}}]


def test_it_reaches_only_the_api_server(exporter: Recorded) -> None:
    (rule,) = exporter.one("NetworkPolicy", "kube-state-metrics").inputs["spec"]["egress"]
    assert [port["port"] for port in rule["ports"]] == [443, 6443]


def test_two_pods_never_run_at_once(exporter: Recorded) -> None:
    """Two pods would expose every series twice, and double all sums."""
    spec = exporter.one("Deployment", kube_state_metrics.APP).inputs["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_the_pod_meets_the_restricted_standard(exporter: Recorded) -> None:
    spec = pod(exporter)["spec"]
    (container,) = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["resources"]["requests"]["memory"] == container["resources"]["limits"]["memory"] == "96Mi"
    assert spec["serviceAccountName"] == "kube-state-metrics"


def _names(expression: str) -> list[str]:
    try:
        return missing_metrics.names(expression)
    except ValueError:  # the expression is LogQL
        return []
