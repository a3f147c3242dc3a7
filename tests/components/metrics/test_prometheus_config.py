"""Prometheus' scrape jobs and remote write. For the rest of the configuration see test_monitoring.py."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from alerting import loader
from alerting.model import RESERVED_LABELS
from components.metrics import prometheus_config
from components.metrics.prometheus import KUBELET_PORT
from components.metrics.remote_write import CopiedMetrics
from tests.mock_engine import Recorded

OF_THE_CLUSTER = ("kubelet", "cadvisor", "kube-apiserver", "coredns")
OF_EKS = ("aws-node", "karpenter")
PODS = ["pods", "exporters", "span-metrics"]


@pytest.fixture
def jobs() -> dict[str, dict[str, Any]]:
    text = prometheus_config.render(
        cluster="c1", scrape_interval="30s", evaluation_interval="30s", alertmanagers=["a-0:9093"]
    )
    assert "&id" not in text  # anchors make a diff hard to read
    return {job["job_name"]: job for job in yaml.safe_load(text)["scrape_configs"]}


def kept_values(job: dict[str, Any]) -> dict[str, str]:
    """Maps the joined source labels of a job's `keep` rules to the regex of the kept values."""
    return {
        ";".join(rule["source_labels"]): rule["regex"]
        for rule in job["relabel_configs"]
        if rule.get("action") == "keep"
    }


def test_the_scrape_jobs(jobs: dict[str, dict[str, Any]]) -> None:
    assert list(jobs) == [*PODS, *OF_THE_CLUSTER]


@pytest.mark.parametrize("job", PODS)
def test_series_of_pods_carry_the_same_labels(jobs: dict[str, dict[str, Any]], job: str) -> None:
    targets = {rule.get("target_label") for rule in jobs[job]["relabel_configs"]}
    assert {"namespace", "pod", "node", "app"} <= targets


def test_only_one_job_honors_labels_and_only_in_its_own_namespace(jobs: dict[str, dict[str, Any]]) -> None:
    assert [name for name, job in jobs.items() if job.get("honor_labels")] == ["exporters"]
    assert jobs["exporters"]["kubernetes_sd_configs"] == [{"role": "pod", "namespaces": {"own_namespace": True}}]
    assert kept_values(jobs["exporters"]) == {
        "__meta_kubernetes_pod_annotation_observability_honor_labels;__meta_kubernetes_pod_container_port_name": (
            "true;http"
        )
    }


def test_no_job_follows_a_redirect() -> None:
    """Also not those that only some stacks have. What happens otherwise: tests/backends/test_scraping.py."""
    text = prometheus_config.render(
        cluster="c1",
        scrape_interval="30s",
        evaluation_interval="30s",
        alertmanagers=["a-0:9093"],
        addons=list(prometheus_config.ADDONS),
        foreign_node_exporter=True,
        eks=True,
        target_samples=50,
    )
    found = {job["job_name"]: job for job in yaml.safe_load(text)["scrape_configs"]}
    assert {*PODS, *OF_THE_CLUSTER, "node-exporter", *OF_EKS, *prometheus_config.ADDONS} == found.keys()
    assert {name: job.get("follow_redirects") for name, job in found.items()} == dict.fromkeys(found, False)
    # Any pod gets into these two, by annotations or by a label of its own.
    for name in ("pods", "node-exporter"):
        assert found[name]["sample_limit"] == 50, name
        assert found[name]["metric_relabel_configs"], name


def test_labels_that_rules_set_are_reserved() -> None:
    """A new label of a recording rule must be in RESERVED_LABELS, too."""
    rules = loader.load()
    labels = {label for rule in rules.rules().values() for label in rule.alert_labels}
    labels |= {label for rule in rules.recordings() for label in rule.labels or {}}
    assert labels
    assert labels <= {*RESERVED_LABELS}


def test_the_platform_and_its_drills_may_speak_of_the_platform(program: Any) -> None:
    def trusted(recorded: Recorded) -> list[str]:
        data = recorded.one("ConfigMap", "prometheus-config").inputs["data"]["prometheus.yml"]
        (pods,) = (job for job in yaml.safe_load(data)["scrape_configs"] if job["job_name"] == "pods")
        return [rule["regex"] for rule in pods["metric_relabel_configs"] if rule.get("source_labels") == ["namespace"]]

    assert trusted(program("staging")) == ["observability", "observability-agent"]
    assert trusted(program("local")) == ["observability", "observability-agent", "platform-faults"]


def test_span_metrics_are_found_by_the_name_of_their_port(jobs: dict[str, dict[str, Any]]) -> None:
    assert kept_values(jobs["span-metrics"]) == {"__meta_kubernetes_pod_container_port_name": "span-metrics"}


def test_the_kubelet_is_scraped_with_the_pods_token(jobs: dict[str, dict[str, Any]]) -> None:
    kubelet = jobs["kubelet"]
    assert kubelet["kubernetes_sd_configs"] == [{"role": "node"}]
    assert kubelet["scheme"] == "https"
    assert kubelet["authorization"] == {"credentials_file": "/var/run/secrets/kubernetes.io/serviceaccount/token"}
    labels = {rule["target_label"] for rule in kubelet["relabel_configs"] if "target_label" in rule}
    assert labels == {"node", "app"}  # the metric already has a label `namespace`, which is that of the volume


def test_prometheus_reaches_kubelets_and_the_api_server(program: Any) -> None:
    recorded: Recorded = program()
    egress = recorded.one("NetworkPolicy", "prometheus").inputs["spec"]["egress"]
    assert [port["port"] for rule in egress if "to" not in rule for port in rule["ports"]] == [
        *(443, 6443, KUBELET_PORT),
        9100,  # node exporters of others, on the nodes' own network
    ]
    recorded = program(scrapeHostPorts="[9100, 10249]")
    egress = recorded.one("NetworkPolicy", "prometheus").inputs["spec"]["egress"]
    assert {9100, 10249} <= {port["port"] for rule in egress if "to" not in rule for port in rule["ports"]}


@pytest.mark.parametrize(
    ("app", "client"), [("prometheus", "jaeger"), ("prometheus", "grafana"), ("alertmanager", "loki")]
)
def test_network_policies_allow_clients(program: Any, app: str, client: str) -> None:
    recorded: Recorded = program()
    ingress = recorded.one("NetworkPolicy", app).inputs["spec"]["ingress"]
    assert {"podSelector": {"matchLabels": {"app.kubernetes.io/name": client}}} in ingress[0]["from"]


def test_a_restart_of_prometheus_does_not_resolve_what_fires(program: Any) -> None:
    """By default an alert with a `for` below 10m begins it again, and its last message to Alertmanager ends before."""
    pod = program().one("StatefulSet", "prometheus").pod
    assert pod
    assert "--rules.alert.for-grace-period=0s" in pod["spec"]["containers"][0]["args"]


def test_alertmanagers_metrics_name_the_failing_channel(program: Any) -> None:
    """AlertmanagerNotificationsFailing reads the label `receiver_name`, which this option switches on."""
    pod = program().one("StatefulSet", "alertmanager").pod
    assert pod
    assert "--enable-feature=receiver-name-in-metrics" in pod["spec"]["containers"][0]["args"]


def test_remote_write_names_the_replica() -> None:
    url = "https://metrics.example.com/api/v1/write"
    text = prometheus_config.render(
        cluster="c1",
        scrape_interval="30s",
        evaluation_interval="30s",
        alertmanagers=["a-0:9093"],
        remote_write_url=url,
    )
    (target,) = yaml.safe_load(text)["remote_write"]
    assert target["url"] == url
    assert [rule.get("target_label") for rule in target["write_relabel_configs"]] == ["__replica__", None]


@pytest.mark.parametrize(
    ("copied", "names"),
    [
        (CopiedMetrics(), {"up", "slo:errors", "slo:debug"}),
        (CopiedMetrics(keep="slo:.+|job_.+"), {"slo:errors", "slo:debug"}),
        (CopiedMetrics(drop="slo:debug"), {"up", "slo:errors"}),
        (CopiedMetrics(keep="slo:.+", drop=".+debug"), {"slo:errors"}),
        # The whole name must match.
        (CopiedMetrics(keep="slo"), set[str]()),
    ],
)
def test_only_the_chosen_metrics_are_copied(copied: CopiedMetrics, names: set[str]) -> None:
    text = prometheus_config.render(
        cluster="c1",
        scrape_interval="30s",
        evaluation_interval="30s",
        alertmanagers=["a-0:9093"],
        remote_write_url="https://metrics.example.com/api/v1/write",
        copied=copied,
    )
    (target,) = yaml.safe_load(text)["remote_write"]
    sent = {"up", "slo:errors", "slo:debug"}
    for rule in target["write_relabel_configs"]:
        if rule.get("source_labels") == ["__name__"]:
            matching = {name for name in sent if re.fullmatch(rule["regex"], name)}
            sent = matching if rule["action"] == "keep" else sent - matching
    assert sent == names


def test_there_is_no_remote_write_by_default() -> None:
    text = prometheus_config.render(
        cluster="c1", scrape_interval="30s", evaluation_interval="30s", alertmanagers=["a-0:9093"]
    )
    assert "remote_write" not in text


@pytest.mark.parametrize(
    ("addon", "port", "app", "job"),
    [
        ("kube-state-metrics", 8080, "kube-state-metrics", "exporters"),
        ("prometheus-node-exporter", 9100, "node-exporter", "pods"),
    ],
)
def test_an_add_on_gets_the_labels_of_the_exporter_that_it_replaces(addon: str, port: int, app: str, job: str) -> None:
    text = prometheus_config.render(
        cluster="c1", scrape_interval="30s", evaluation_interval="30s", alertmanagers=[], addons=[addon]
    )
    found = yaml.safe_load(text)["scrape_configs"][-1]
    assert found["job_name"] == addon
    assert found["honor_labels"] == (job == "exporters")
    assert found["kubernetes_sd_configs"] == [{"role": "pod", "namespaces": {"names": [addon]}}]
    assert list(kept_values(found).values()) == [f"{addon};{port}"]
    fixed = {rule["target_label"]: rule["replacement"] for rule in found["relabel_configs"] if "replacement" in rule}
    assert fixed == {"app": app, "job": job}


@pytest.mark.parametrize(
    ("stack", "changes", "verified"),
    [
        ("local", {}, False),
        ("local", {"verifyKubelets": "true"}, True),
        ("staging", {}, True),
        ("production", {}, True),
    ],
)
def test_the_token_goes_only_to_kubelets_that_are_verified(
    program: Callable[..., Recorded], stack: str, changes: dict[str, str], verified: bool
) -> None:
    config = yaml.safe_load(
        program(stack, **changes).one("ConfigMap", "prometheus-config").inputs["data"]["prometheus.yml"]
    )
    kubelets = [job["tls_config"] for job in config["scrape_configs"] if job["job_name"] in ("kubelet", "cadvisor")]
    authority = {"ca_file": "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"}
    assert kubelets == [authority if verified else {"insecure_skip_verify": True}] * 2


def test_span_metrics_have_the_namespace_of_the_sender(jobs: dict[str, dict[str, Any]]) -> None:
    """Two namespaces may have a service of one name; the gateway's own namespace is that of none of them."""
    named, dropped = jobs["span-metrics"]["metric_relabel_configs"]
    assert named == {"source_labels": ["k8s_namespace_name"], "target_label": "namespace"}
    assert dropped == {"action": "labeldrop", "regex": "k8s_namespace_name"}
