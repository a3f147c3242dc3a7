"""Monitors in the real Prometheus: what their targets are called, and what a monitor of strangers does not reach.

Files with the labels of discovery stand for the cluster; the jobs are those that the converter makes.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from components.metrics import prometheus_config
from tests.backends.scraped_program import ScrapedProgram, scraped_program
from tests.backends.test_remote_write import Prometheus, configuration
from tests.components.metrics.monitors.cases import LISTED, POD, SERVICE, jobs
from tools.programs import eventually

META = "__meta_kubernetes_"
FORGED = """\
till_open{namespace="media",pod="upload-0",app="upload",job="pods",instance="a:1",service="orders"} 1
till_closed{severity="a",namespace="observability"} 1
till_secret{namespace=""} 1
kube_pod_info{namespace="media",pod="upload-0"} 1
ALERTS{alertname="Forged",severity="critical"} 1
node_memory_MemTotal_bytes 1
"""


@pytest.fixture(scope="module")
def program() -> Iterator[ScrapedProgram]:
    with scraped_program(lambda _: (FORGED.encode(), {}), "/reached") as found:
        yield found


def _target(program: ScrapedProgram, pod: str, address: str = "127.0.0.1", **more: str) -> dict[str, Any]:
    """A pod behind a Service; `more` are further discovered labels, empty ones are left out."""
    labels = {
        "namespace": "shop",
        "pod_name": pod,
        "pod_ip": "127.0.0.1",
        "pod_host_ip": "10.0.0.1",
        "pod_node_name": "n",
        "pod_phase": "Running",
        "pod_container_name": "main",
        "pod_label_app_kubernetes_io_name": "till",
        "pod_label_team": "cashiers",
        "service_name": "till-svc",
        "service_label_app": "till",
        "service_labelpresent_app": "true",
        "service_label_tier": "front",
        "endpointslice_port_name": "web",
        "pod_container_port_name": "web",
    } | more
    return {
        "targets": [f"{address}:{urlsplit(program.url).port}"],
        "labels": {f"{META}{name}": value for name, value in labels.items() if value},
    }


PLAIN: dict[str, Any] = {"port": "web"}
FORGING = [
    {"targetLabel": "namespace", "replacement": "media"},
    {"targetLabel": "pod", "replacement": "upload-0"},
    {"targetLabel": "node", "replacement": "other"},
    {"targetLabel": "app", "replacement": "upload"},
    {"targetLabel": "job", "replacement": "pods"},
    {"targetLabel": "instance", "replacement": "10.0.0.9:8000"},
    {"targetLabel": "severity", "replacement": "critical"},
    {"targetLabel": "cluster", "replacement": "other"},
]
MONITORS: dict[str, tuple[str, str, dict[str, Any], dict[str, Any], list[dict[str, str]]]] = {
    # name: kind, namespace, endpoint, spec, discovered labels of its targets
    "plain": (SERVICE, "shop", PLAIN, {"targetLabels": ["tier"], "podTargetLabels": ["team"]}, [{}]),
    "pods": (POD, "shop", PLAIN, {}, [{"service_name": ""}]),
    "labelled": (SERVICE, "shop", PLAIN, {"jobLabel": "app", "selector": {"matchLabels": {"app": "till"}}}, [{}]),
    "unselected": (SERVICE, "shop", PLAIN, {"selector": {"matchLabels": {"app": "other"}}}, [{}]),
    "other-port": (SERVICE, "shop", {"port": "admin"}, {}, [{}]),
    "platform-job": (SERVICE, "shop", PLAIN, {}, [{"service_name": "kube-apiserver"}]),
    "forging": (SERVICE, "shop", {**PLAIN, "relabelings": FORGING}, {}, [{}]),
    "jobless": (SERVICE, "shop", {**PLAIN, "relabelings": [{"action": "labeldrop", "regex": "job"}]}, {}, [{}]),
    "address": (SERVICE, "shop", PLAIN, {}, [{"address": "169.254.169.254"}]),
    "no-pod": (SERVICE, "shop", PLAIN, {}, [{"pod_name": "", "pod_ip": "", "pod_node_name": ""}]),
    "host": (SERVICE, "shop", PLAIN, {}, [{"pod_host_ip": "127.0.0.1"}]),
    "listed-host": (SERVICE, LISTED, PLAIN, {}, [{"pod_host_ip": "127.0.0.1"}]),
    "ended": (POD, "shop", PLAIN, {}, [{"pod_phase": "Succeeded"}]),
    "annotated": (SERVICE, "shop", PLAIN, {}, [{"pod_annotation_prometheus_io_scrape": "true"}]),
    "platform": (POD, LISTED, PLAIN, {}, [{"namespace": "observability"}]),
    **{
        f"without-{label.replace('_', '-')}": (
            SERVICE,
            "shop",
            {**PLAIN, "relabelings": [*FORGING, {"action": "labeldrop", "regex": f"{META}{label}"}]},
            {},
            [{}],
        )
        for label in ("namespace", "pod_name", "pod_node_name", "pod_ip")
    },
    "redirected": (SERVICE, "shop", {**PLAIN, "path": "/elsewhere", "followRedirects": True}, {}, [{}]),
    "asked": (SERVICE, "shop", {**PLAIN, "path": "/asked", "params": {"a": ["b"]}}, {}, [{}]),
    "honoring": (SERVICE, "shop", {**PLAIN, "honorLabels": True}, {}, [{}]),
    "listed": (SERVICE, LISTED, {**PLAIN, "honorLabels": True}, {}, [{}]),
    "samples": (
        SERVICE,
        "shop",
        {
            **PLAIN,
            "metricRelabelings": [
                {"action": "labeldrop", "regex": "namespace|app"},
                {
                    "sourceLabels": ["__name__"],
                    "regex": "till_open",
                    "targetLabel": "__name__",
                    "replacement": "kube_x",
                },
                {
                    "sourceLabels": ["__name__"],
                    "regex": "till_closed",
                    "targetLabel": "__tmp_trusted",
                    "replacement": "true",
                },
                {
                    "sourceLabels": ["__name__"],
                    "regex": "till_closed",
                    "targetLabel": "__name__",
                    "replacement": "kube_y",
                },
            ],
        },
        {},
        [{}],
    ),
}
NOT_SCRAPED = (
    *("unselected", "other-port", "no-pod", "host", "ended", "annotated", "platform"),
    *("without-namespace", "without-pod-name", "without-pod-node-name", "without-pod-ip"),
)


@pytest.fixture(scope="module")
def prometheus(program: ScrapedProgram, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """It starts before there is a file with jobs."""
    folder = tmp_path_factory.mktemp("monitors")
    server = Prometheus(
        folder / "server",
        {},
        *("--config.auto-reload", "--config.auto-reload-interval=1s"),
        environment={"POD_NAME": "prometheus-0"},
    )
    document = configuration(monitors=True)
    (pattern,) = document["scrape_config_files"]
    files = [pattern.replace(prometheus_config.MONITORS_FOLDER, str(folder))]
    (folder / "server/prometheus.yml").write_text(
        json.dumps(document | {"scrape_configs": [], "scrape_config_files": files})
    )
    with server:
        _write(program, folder)
        yield server


def _write(program: ScrapedProgram, folder: Path) -> None:
    found: list[dict[str, Any]] = []
    for name, (kind, namespace, endpoint, spec, targets) in MONITORS.items():
        file = folder / f"{name}.targets"
        given = [_target(program, f"{name}-0", one.pop("address", "127.0.0.1"), **one) for one in map(dict, targets)]
        file.with_suffix(".yml").write_text(json.dumps(given))
        field = "endpoints" if kind == SERVICE else "podMetricsEndpoints"
        for job in jobs(kind, {field: [endpoint], **spec}, namespace, name, scrape_interval="1s"):
            del job["kubernetes_sd_configs"]
            found.append({**job, "file_sd_configs": [{"files": [str(file.with_suffix(".yml"))]}]})
    (folder / "monitors.new").write_text(json.dumps({"scrape_configs": found}))
    (folder / "monitors.new").rename(folder / "monitors.json")


def up(prometheus: Prometheus, name: str) -> dict[str, str]:
    """The labels of the only target of a monitor, once it answers."""
    eventually(lambda: prometheus.series(f'up{{pod="{name}-0"}} == 1'), what=f"the target of {name} is not up")
    (found,) = prometheus.series(f'up{{pod="{name}-0"}}')
    assert found.pop("__name__") == "up"
    return found


def true(program: ScrapedProgram, name: str) -> dict[str, str]:
    return {
        "namespace": "shop",
        "pod": f"{name}-0",
        "node": "n",
        "app": "till",
        "container": "main",
        "endpoint": "web",
        "instance": f"127.0.0.1:{urlsplit(program.url).port}",
    }


def test_targets_have_the_operators_labels_and_the_platforms(prometheus: Prometheus, program: ScrapedProgram) -> None:
    service = {"service": "till-svc", "job": "till-svc"}
    # Rules and routes own the label `team`.
    more = {"tier": "front", "exported_team": "cashiers"}
    assert up(prometheus, "plain") == true(program, "plain") | service | more
    assert up(prometheus, "labelled") == true(program, "labelled") | service | {"job": "till"}
    assert up(prometheus, "pods") == true(program, "pods") | {"job": "shop/pods"}


def test_no_target_has_the_name_of_a_job_of_the_platform(prometheus: Prometheus) -> None:
    """Rules trust the label `job`."""
    for name in ("platform-job", "forging", "jobless"):
        assert up(prometheus, name)["job"] == f"shop/{name}"


def test_a_target_does_not_say_who_it_is(prometheus: Prometheus, program: ScrapedProgram) -> None:
    renamed = {"exported_severity": "critical", "exported_cluster": "other"}
    expected = true(program, "forging") | {"service": "till-svc", "job": "shop/forging"} | renamed
    assert up(prometheus, "forging") == expected


def test_only_the_pod_itself_is_asked(prometheus: Prometheus, program: ScrapedProgram) -> None:
    """Whatever address the endpoints of its Service have."""
    assert up(prometheus, "address")["instance"] == f"127.0.0.1:{urlsplit(program.url).port}"


def test_nothing_else_is_a_target(prometheus: Prometheus) -> None:
    up(prometheus, "plain")
    # A listed namespace may select pods on the network of their node.
    up(prometheus, "listed-host")
    for name in NOT_SCRAPED:
        assert prometheus.series(f'up{{pod="{name}-0"}}') == [], name
    expected = {f"{name}-0" for name in MONITORS.keys() - set(NOT_SCRAPED)}
    eventually(lambda: {one["pod"] for one in prometheus.series("up")} >= expected, what="some target was not scraped")
    assert {one["pod"] for one in prometheus.series("up")} == expected
    assert {one["namespace"] for one in prometheus.series("up")} == {"shop"}


def test_a_redirect_is_not_followed(prometheus: Prometheus, program: ScrapedProgram) -> None:
    eventually(lambda: prometheus.series('up{pod="redirected-0"} == 0'), what="a target that only redirects is up")
    assert "/elsewhere" in program.paths
    assert "/reached" not in program.paths


def test_path_and_parameters_are_asked_for(prometheus: Prometheus, program: ScrapedProgram) -> None:
    up(prometheus, "asked")
    assert "/asked?a=b" in program.paths


@pytest.mark.parametrize("name", ["plain", "pods", "honoring"])
def test_samples_do_not_say_where_they_come_from(prometheus: Prometheus, name: str) -> None:
    target = up(prometheus, name)
    (found,) = prometheus.series(f'till_open{{pod="{name}-0"}}')
    assert found.items() >= target.items()
    assert found["exported_namespace"] == "media"
    names = {one["__name__"] for one in prometheus.series(f'{{pod="{name}-0"}}')}
    assert {one for one in names if not one.startswith("scrape_")} == {"up", "till_open", "till_closed", "till_secret"}
    (closed,) = prometheus.series(f'till_closed{{pod="{name}-0"}}')
    assert closed["namespace"] == "shop"
    assert (closed.get("severity"), closed["exported_severity"]) == (None, "a")


def test_relabelled_samples_are_still_of_their_namespace(prometheus: Prometheus) -> None:
    up(prometheus, "samples")
    found = prometheus.series('{pod="samples-0",__name__!~"up|scrape_.*"}')
    assert [(one["__name__"], one["namespace"]) for one in found] == [("till_secret", "shop")]


def test_an_exporter_of_a_listed_namespace_speaks_of_others_but_not_of_the_platform(prometheus: Prometheus) -> None:
    up(prometheus, "listed")
    (found,) = prometheus.series('till_open{pod="upload-0"}')
    assert (found["namespace"], found["app"]) == ("media", "upload")
    assert not prometheus.series('till_closed{namespace="observability"}')
    for name in ("kube_pod_info", "node_memory_MemTotal_bytes", "ALERTS"):
        assert not prometheus.series(name)
