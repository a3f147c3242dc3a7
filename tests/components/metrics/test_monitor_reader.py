"""The container that reads monitors: beside Prometheus where the stack wants it, with the rights that it needs."""

import ast
import json
import re
import sys
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from components.kubernetes.checksum import ANNOTATION
from components.metrics import cluster_jobs, monitor_jobs, monitor_reader, prometheus_config
from components.metrics.monitors.convert import Common
from settings import sizes, versions
from settings.quantities import quantity_bytes
from tests.mock_engine import ROOT, Recorded

Program = Callable[..., Recorded]
ON = {"monitors": "true", "monitorNamespaces": '["monitoring"]'}


def pod(recorded: Recorded) -> dict[str, Any]:
    found = recorded.one("StatefulSet", "prometheus").pod
    assert found
    return found


def common(recorded: Recorded) -> Common:
    return Common(**json.loads(recorded.one("ConfigMap", "prometheus-monitors").inputs["data"]["common.json"]))


def config(recorded: Recorded) -> dict[str, Any]:
    return yaml.safe_load(recorded.one("ConfigMap", "prometheus-config").inputs["data"]["prometheus.yml"])


def rules(recorded: Recorded) -> list[dict[str, Any]]:
    return recorded.one("ClusterRole", "observability-prometheus").inputs["rules"]


def test_it_runs_beside_prometheus(program: Program) -> None:
    spec = pod(program("production", **ON))["spec"]
    prometheus, reader = spec["containers"]
    assert (prometheus["name"], reader["name"]) == ("prometheus", "monitor-reader")
    assert reader["image"] == versions.PYTHON_IMAGE
    assert reader["command"] == ["python3", "-m", "monitors.reader"]
    assert reader["workingDir"] == "/"
    assert reader["resources"]["limits"]["memory"] == sizes.MEMORY["monitor-reader"]
    volumes = {one["name"]: one for one in spec["volumes"]}
    assert volumes["monitors"]["emptyDir"] == {"sizeLimit": "64Mi"}
    assert volumes["monitors-program"]["configMap"] == {"name": "prometheus-monitors"}
    mounts = {one["name"]: one for one in reader["volumeMounts"]}
    assert mounts["monitors-program"]["mountPath"] == "/monitors"
    assert mounts["monitors-program"]["readOnly"] is True
    assert not mounts["monitors"].get("readOnly")
    assert mounts.keys() == {"monitors", "monitors-program"}
    (theirs,) = (one for one in prometheus["volumeMounts"] if one["name"] == "monitors")
    assert theirs == {"name": "monitors", "mountPath": prometheus_config.MONITORS_FOLDER, "readOnly": True}
    environment = {one["name"]: one["value"] for one in reader["env"]}
    assert environment == {"COMMON": "/monitors/common.json", "JOBS": "/etc/prometheus/monitors/monitors.json"}


def test_cpu_of_the_settings_is_that_of_prometheus(program: Program) -> None:
    containers = pod(program("production", **ON, podSettings='{"prometheus": {"cpu": "2"}}'))["spec"]["containers"]
    requests = {one["name"]: one["resources"]["requests"]["cpu"] for one in containers}
    assert requests == {"prometheus": "2", "monitor-reader": f"{sizes.CPU['monitor-reader'] * 1000:.0f}m"}


def test_prometheus_loads_what_it_writes(program: Program) -> None:
    assert config(program("production", **ON))["scrape_config_files"] == ["/etc/prometheus/monitors/*.json"]


def test_nothing_of_it_is_there_without_the_setting(program: Program) -> None:
    recorded = program("production", monitors="false")
    assert [one["name"] for one in pod(recorded)["spec"]["containers"]] == ["prometheus"]
    assert {one["name"] for one in pod(recorded)["spec"]["volumes"]} == {"config", "rules"}
    assert ANNOTATION not in pod(recorded)["metadata"]["annotations"]
    assert "scrape_config_files" not in config(recorded)
    assert not [one for one in recorded.of("ConfigMap") if one.object_name == "prometheus-monitors"]
    assert not [rule for rule in rules(recorded) if rule.get("apiGroups") == ["monitoring.coreos.com"]]


def test_it_may_list_monitors_and_nothing_more(program: Program) -> None:
    off, on = (rules(program("production", **changes)) for changes in ({"monitors": "false"}, ON))
    assert [rule for rule in on if rule not in off] == [
        {"apiGroups": ["monitoring.coreos.com"], "resources": ["servicemonitors", "podmonitors"], "verbs": ["list"]}
    ]
    assert not [rule for rule in on if "secrets" in rule.get("resources", [])]


def test_a_changed_program_restarts_the_pods_and_changed_bounds_do_not(program: Program) -> None:
    first, other = (pod(program("production", **ON, **more)) for more in ({}, {"prometheusRetention": "20d"}))
    checksum = first["metadata"]["annotations"][ANNOTATION]
    assert other["metadata"]["annotations"][ANNOTATION] == checksum
    listed = pod(program("production", monitors="true", monitorNamespaces="[]"))
    assert listed == first


def test_the_files_are_the_program(program: Program) -> None:
    data = program("production", **ON).one("ConfigMap", "prometheus-monitors").inputs["data"]
    folder = ROOT / "components/metrics/monitors"
    assert data.keys() == {*(file.name for file in folder.glob("*.py")), "common.json"}
    # Above a third of it there would be no room for more namespaces.
    assert sum(map(len, data.values())) < quantity_bytes("1Mi") / 3


def test_the_program_needs_only_python() -> None:
    for name, text in monitor_reader.files().items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                assert {one.name.split(".")[0] for one in node.names} <= sys.stdlib_module_names, name
            if isinstance(node, ast.ImportFrom) and not node.level:
                assert str(node.module).split(".")[0] in sys.stdlib_module_names, name


def test_the_common_part_is_that_of_the_stack(program: Program) -> None:
    found = common(program("local", **ON))
    assert found.closed == ["observability", "observability-agent"]
    assert found.listed == ["monitoring"]
    assert (found.interval, found.timeout) == (5000, 5000)
    assert found.job.items() >= prometheus_config.limits(sizes.target_samples(quantity_bytes("512Mi"))).items()
    assert found.job["follow_redirects"] is False
    assert (found.units, found.share) == sizes.monitored_endpoints(quantity_bytes("512Mi"))
    without = common(program("local", **ON, nodeExporter="false"))
    assert [one for one in without.filters if one not in found.filters] == [
        {
            "action": "drop",
            "source_labels": prometheus_config.FOREIGN_NODE_EXPORTER[0],
            "regex": prometheus_config.FOREIGN_NODE_EXPORTER[1],
        }
    ]


def test_all_names_of_jobs_are_reserved() -> None:
    """Rules trust the label `job`, and so do inhibitions."""
    text = prometheus_config.render(
        cluster="c",
        scrape_interval="30s",
        evaluation_interval="30s",
        alertmanagers=[],
        addons=list(prometheus_config.ADDONS),
        foreign_node_exporter=True,
        eks=True,
    )
    jobs = yaml.safe_load(text)["scrape_configs"]
    names = {job["job_name"] for job in jobs}
    names |= {one["replacement"] for job in jobs for one in job["relabel_configs"] if one.get("target_label") == "job"}
    assert len(names) > len(cluster_jobs.jobs("30s")) + 5
    for folder in ("rules/prometheus", "rules/slos", "rules/loki"):
        for file in (ROOT / folder).glob("*.yaml"):
            for names_there in re.findall(r'\bjob=~?"([^"]*)"', file.read_text()):
                names |= set(names_there.split("|"))
    assert names <= set(monitor_jobs.JOBS)


@pytest.mark.parametrize("name", monitor_jobs.JOBS)
def test_no_reserved_name_is_that_of_a_monitor(name: str) -> None:
    assert "/" not in name
