"""The scrape jobs of Amazon's network plugin and Karpenter: their targets, and the metrics that Prometheus keeps."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from components.metrics import eks_jobs
from tests.mock_engine import Recorded

JOBS = {job["job_name"]: job for job in eks_jobs.jobs()}
META = "__meta_kubernetes_pod_"
# As the charts aws-vpc-cni 1.23 and karpenter 1.12 install them.
NETWORK = {"label_k8s_app": "aws-node", "label_app_kubernetes_io_name": "aws-node", "phase": "Running"}
KARPENTER = {"label_app_kubernetes_io_name": "karpenter", "phase": "Running"}


def target(job: dict[str, Any], labels: dict[str, str]) -> bool:
    """Whether discovery's labels make a target of the job."""
    for rule in job["relabel_configs"]:
        text = ";".join(labels.get(name.removeprefix(META), "") for name in rule.get("source_labels", ()))
        if rule.get("action") in ("keep", "drop") and bool(re.fullmatch(rule["regex"], text)) != (
            rule["action"] == "keep"
        ):
            return False
    return True


@pytest.mark.parametrize(
    ("name", "pod", "expected"),
    [
        ("aws-node", NETWORK | {"container_port_number": "61678", "container_port_name": "metrics"}, True),
        ("aws-node", NETWORK | {"container_port_number": "8162", "container_port_name": "agentmetrics"}, False),
        ("aws-node", {"label_k8s_app": "kube-proxy", "container_port_number": "61678"}, False),
        ("karpenter", KARPENTER | {"container_port_number": "8080", "container_port_name": "http-metrics"}, True),
        ("karpenter", KARPENTER | {"container_port_number": "8081", "container_port_name": "http"}, False),
        (
            "karpenter",
            KARPENTER | {"container_port_name": "http-metrics", "annotation_prometheus_io_scrape": "true"},
            False,  # the job `pods` has it
        ),
    ],
)
def test_the_pods_are_found_as_their_charts_install_them(name: str, pod: dict[str, str], expected: bool) -> None:
    assert target(JOBS[name], pod) is expected


def test_each_job_looks_where_the_program_runs_and_keeps_a_few_metrics() -> None:
    where = {name: job["kubernetes_sd_configs"][0]["namespaces"]["names"] for name, job in JOBS.items()}
    assert where == {"aws-node": ["kube-system"], "karpenter": ["kube-system", "karpenter"]}
    for job, metrics in ((JOBS["aws-node"], eks_jobs.NETWORK), (JOBS["karpenter"], eks_jobs.KARPENTER)):
        (kept,) = job["metric_relabel_configs"]
        assert (kept["action"], kept["source_labels"]) == ("keep", ["__name__"])
        names = (*metrics, "awscni_assigned_ip_per_cidr", "karpenter_pods_state", "go_goroutines", "up2")
        assert [name for name in names if re.fullmatch(kept["regex"], name)] == list(metrics)
        assert job["sample_limit"] == 5000


@pytest.mark.parametrize(("stack", "found"), [("local", []), ("staging", ["aws-node", "karpenter"])])
def test_only_stacks_on_eks_have_them(program: Callable[..., Recorded], stack: str, found: list[str]) -> None:
    recorded = program(stack)
    config = yaml.safe_load(recorded.one("ConfigMap", "prometheus-config").inputs["data"]["prometheus.yml"])
    assert [job["job_name"] for job in config["scrape_configs"] if job["job_name"] in JOBS] == found
    egress = recorded.one("NetworkPolicy", "prometheus").inputs["spec"]["egress"]
    on_nodes = {port["port"] for rule in egress if "to" not in rule for port in rule["ports"]}
    assert (eks_jobs.NETWORK_PORT in on_nodes) is bool(found)
