"""What Prometheus keeps of Kubernetes' own metrics: all that rules and dashboards read, and nothing else."""

import re
from typing import Any

import pytest
import yaml

from alerting import contract, loader, missing_metrics
from components.metrics import cluster_jobs, kube_state_metrics, prometheus_config, scrape_claims
from dashboards import DASHBOARDS
from tests.dashboards.committed import committed, queries

NAMES = re.compile(r"\b(?:apiserver|container|coredns|kube|kubelet)_[a-z_]+\b")
OF_PROGRAMS = {*cluster_jobs.KEPT, *kube_state_metrics.METRICS}


@pytest.fixture(scope="module")
def jobs() -> dict[str, dict[str, Any]]:
    text = prometheus_config.render(
        cluster="c1", scrape_interval="30s", evaluation_interval="30s", alertmanagers=["a-0:9093"]
    )
    return {job["job_name"]: job for job in yaml.safe_load(text)["scrape_configs"]}


def kept(job: dict[str, Any], **labels: str) -> dict[str, str] | None:
    """The labels of a sample after the job's metric relabeling; None if it is dropped."""
    for rule in job["metric_relabel_configs"]:
        if rule["action"] == "labeldrop":
            labels = {name: value for name, value in labels.items() if not re.fullmatch(rule["regex"], name)}
            continue
        text = ";".join(labels.get(name, "") for name in rule["source_labels"])
        if bool(re.fullmatch(rule["regex"], text)) != (rule["action"] == "keep"):
            return None
    return labels


def read() -> set[str]:
    """Metrics of Kubernetes that rules and dashboards read."""
    rule_set = loader.load()
    expressions = [rule.expr for rule in rule_set.rules().values() if rule.engine == "prometheus"]
    expressions += [rule.expr for rule in rule_set.recordings()]
    found = {name for expression in expressions for name in missing_metrics.names(expression)}
    boards = [committed(stem) for stem in DASHBOARDS]
    panels = " ".join(target["expr"] for board in boards for _, target in queries(board))
    panels += " ".join(mark["expr"] for board in boards for mark in board["annotations"]["list"])
    return {name for name in found | set(NAMES.findall(panels)) if NAMES.fullmatch(name)}


def test_what_is_read_is_kept_and_what_is_kept_is_read() -> None:
    """Each metric costs series for every container, pod or object of the cluster."""
    found = read() - {"kubelet_certificate_manager_"}  # a panel names its two metrics by a pattern
    assert found - OF_PROGRAMS == set()
    assert OF_PROGRAMS - found == set()


def test_the_contract_names_what_is_kept() -> None:
    named = set(contract.load()["kubernetes"].metrics)
    elsewhere = {name for name in OF_PROGRAMS if name.startswith(("kubelet_volume_stats_", "kube_pod_init_"))}
    assert named == {name.removesuffix("_bucket") for name in OF_PROGRAMS - elsewhere}


def test_every_exporter_of_kubernetes_is_a_job(jobs: dict[str, dict[str, Any]]) -> None:
    """AlertsOnMissingMetrics looks for targets with this label."""
    named = {target["job"] for target in loader.load().systems["kubernetes"].exporters.values()}
    assert named <= jobs.keys()


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"__name__": "container_cpu_usage_seconds_total", "pod": "p", "container": "c", "cpu": "total"}, True),
        ({"__name__": "container_memory_working_set_bytes", "pod": "p", "container": "c"}, True),
        ({"__name__": "container_memory_working_set_bytes", "pod": "p", "container": ""}, False),  # the pod's sum
        ({"__name__": "container_memory_working_set_bytes", "id": "/kubepods"}, False),  # the node's sum
        ({"__name__": "container_memory_rss", "pod": "p", "container": "c"}, False),
        ({"__name__": "container_network_receive_bytes_total", "pod": "p", "interface": "eth0"}, True),
        ({"__name__": "container_network_receive_bytes_total", "pod": "p", "interface": "lo"}, False),
        ({"__name__": "container_network_receive_bytes_total", "id": "/", "interface": "eth0"}, False),
    ],
)
def test_cadvisor_keeps_containers_and_the_networks_of_pods(
    jobs: dict[str, dict[str, Any]], labels: dict[str, str], expected: bool
) -> None:
    changing = {"id": "/kubepods/1", "image": "i", "name": "n"}
    found = kept(jobs["cadvisor"], **(changing | labels))
    assert (found is not None) == expected
    assert found is None or not {"id", "image", "name", "interface"} & found.keys()


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"__name__": "apiserver_request_total", "verb": "WATCH"}, True),
        *(({"__name__": cluster_jobs.SLOW_REQUESTS, "verb": "GET", "le": le}, True) for le in ("1", "1.0", "+Inf")),
        *(({"__name__": cluster_jobs.SLOW_REQUESTS, "verb": "GET", "le": le}, False) for le in ("0.1", "10", "15.0")),
        ({"__name__": cluster_jobs.SLOW_REQUESTS, "verb": "WATCH", "le": "1"}, False),
        ({"__name__": "apiserver_request_duration_seconds_sum", "verb": "GET"}, False),
        ({"__name__": "etcd_request_duration_seconds_bucket", "le": "1"}, False),
    ],
)
def test_the_api_server_keeps_two_buckets(
    jobs: dict[str, dict[str, Any]], labels: dict[str, str], expected: bool
) -> None:
    assert (kept(jobs["kube-apiserver"], **labels) is not None) == expected


@pytest.mark.parametrize("name", ["kubelet", "cadvisor"])
def test_kubelets_of_fargate_are_no_targets(jobs: dict[str, dict[str, Any]], name: str) -> None:
    """Each would be down for TargetDown: the security groups of a pod admit Prometheus to its own ports at most."""
    label = "eks.amazonaws.com/compute-type"
    discovered = f"__meta_kubernetes_node_label_{re.sub('[^a-z]', '_', label)}"
    (drop,) = (rule for rule in jobs[name]["relabel_configs"] if rule.get("action") == "drop")
    assert drop["source_labels"] == [discovered]
    assert [kind for kind in ("fargate", "ec2", "auto", "hybrid", "") if re.fullmatch(drop["regex"], kind)] == [
        "fargate"
    ]


def test_each_api_server_is_a_target_and_must_prove_who_it_is(jobs: dict[str, dict[str, Any]]) -> None:
    job = jobs["kube-apiserver"]
    assert job["kubernetes_sd_configs"] == [{"role": "endpointslice", "namespaces": {"names": ["default"]}}]
    assert job["tls_config"] == {
        "ca_file": "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
        "server_name": "kubernetes",
    }


@pytest.mark.parametrize(
    ("scrape_interval", "kubelet", "api_server"), [("5s", "15s", "30s"), ("30s", "30s", "30s"), ("1m", "1m", "1m")]
)
def test_kubernetes_is_scraped_less_often_than_programs(scrape_interval: str, kubelet: str, api_server: str) -> None:
    """Each scrape makes them write thousands of samples, and every server of Prometheus scrapes them."""
    intervals = {job["job_name"]: job.get("scrape_interval") for job in cluster_jobs.jobs(scrape_interval)}
    assert intervals == {"kubelet": kubelet, "cadvisor": kubelet, "kube-apiserver": api_server, "coredns": None}


def test_busy_servers_of_kubernetes_have_more_time_than_programs(jobs: dict[str, dict[str, Any]]) -> None:
    """With a scrape interval of 5 s programs have 5 s, which is too little beside the end-to-end tests."""
    assert {name: job["scrape_timeout"] for name, job in jobs.items() if "scrape_timeout" in job} == {
        "kubelet": "10s",
        "cadvisor": "10s",
        "kube-apiserver": "25s",
    }


def test_both_jobs_of_a_kubelet_are_one_app(jobs: dict[str, dict[str, Any]]) -> None:
    """A kubelet that does not answer is one notification."""
    assert jobs["kubelet"]["relabel_configs"] == jobs["cadvisor"]["relabel_configs"]
    assert jobs["cadvisor"]["metrics_path"] == "/metrics/cadvisor"
    assert jobs["cadvisor"]["track_timestamps_staleness"] is True


def test_no_other_pod_may_expose_these_metrics() -> None:
    """They would fire the alerts on Kubernetes, or drown them."""
    refused = [
        rule["regex"]
        for rule in scrape_claims.relabeling(trusted=[])
        if rule["action"] == "drop" and len(rule["source_labels"]) > 1
    ]
    assert len(refused) == 1
    assert [name for name in OF_PROGRAMS if not re.fullmatch(refused[0], f";{name}")] == []
