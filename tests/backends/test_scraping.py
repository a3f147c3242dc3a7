"""Scraping as clusters are, by the real Prometheus with our configuration: paths with a query, endless series, lies.

A file with the labels that discovery would give stands for the cluster.
"""

import gzip
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from alerting.model import RESERVED_LABELS
from components.metrics import prometheus_config
from tests.backends.scraped_program import Page, ScrapedProgram, scraped_program
from tests.backends.test_remote_write import Prometheus, configuration
from tools.programs import eventually

LIMIT = 50
# The labels of a target: namespace, pod, node, app, job and instance.
_OF_THE_TARGET = 6
COMPRESSED = gzip.compress(b"# " + b"x" * 4 * 2**20 + b"\n")
FORGED = """\
ALERTS{alertname="Forged",severity="critical"} 1
ALERTS_FOR_STATE{alertname="Forged"} 1
up{app="loki"} 0
scrape_samples_scraped 1
media_upload:storage_failures:increase5m{severity="a"} 1
kube_statefulset_replicas{statefulset="alertmanager"} 3
kubelet_volume_stats_capacity_bytes{persistentvolumeclaim="a"} 1
traces_span_metrics_calls_total{service_name="till"} 1
node_memory_MemTotal_bytes 1
node_modules_total 1
till_open{namespace="media",pod="upload-0",node="other",app="upload",job="exporters",instance="a:1"} 1
till_closed{__tmp_trusted="true",severity="a",system="a",team="a",page="a",subject="a",slo="a",alertname="a"} 1
till_closed{severity="b",crowd="a",cluster="a",prometheus_replica="a",alertstate="a"} 1
kube_pod_info{__tmp_trusted="true"} 1
"""
_POD = "__meta_kubernetes_pod_"


def _labels(names: int, name_bytes: int, value_bytes: int) -> str:
    """A sample with so many labels besides those of its target, whose first name and value have these lengths."""
    others = ",".join(f'l{number}="1"' for number in range(names - 1))
    return f'till_labels{{{"n" * name_bytes}="{"v" * value_bytes}",{others}}} 1'


_MOST, _NAME, _VALUE = prometheus_config.LABEL_LIMITS.values()
LABELS = {
    "/fitting": _labels(_MOST - _OF_THE_TARGET - 1, _NAME, _VALUE),
    "/many": _labels(_MOST - _OF_THE_TARGET, 1, 1),
    "/long-name": _labels(2, _NAME + 1, 1),
    "/long-value": _labels(2, 1, 20_000),
    "/longer-value": _labels(2, 1, _VALUE + 1),
}
"""Path -> a sample; only the first is within the limits. The name of the metric is a label, too."""


def _page(path: str) -> Page:
    if path == "/forged":
        return FORGED.encode(), {}
    if path == "/compressed":
        return COMPRESSED, {"Content-Encoding": "gzip"}
    if path in LABELS:
        return f"till_open 1\n{LABELS[path]}\n".encode(), {}
    series = LIMIT + 1 if "endless" in path else LIMIT - 10
    rows = [f'till_items{{item="{number}"}} 1' for number in range(series)]
    return "\n".join([*rows, ""]).encode(), {}


@pytest.fixture(scope="module")
def program() -> Iterator[ScrapedProgram]:
    with scraped_program(_page, "/ingester/shutdown") as found:
        yield found


def _target(program: ScrapedProgram, pod: str, path: str, namespace: str = "shop") -> dict[str, Any]:
    port = urlsplit(program.url).port
    annotation = f"{_POD}annotation_prometheus_io_"
    meta = {"name": pod, "ip": "127.0.0.1", "phase": "Running", "node_name": "n"}
    if pod != "nameless":
        meta["label_app_kubernetes_io_name"] = pod
    return {
        "targets": ["127.0.0.1:1"],
        "labels": {
            "__meta_kubernetes_namespace": namespace,
            **{f"{_POD}{name}": value for name, value in meta.items()},
            f"{annotation}scrape": "true",
            f"{annotation}port": str(port),
            f"{annotation}path": path,
        },
    }


@pytest.fixture(scope="module")
def prometheus(program: ScrapedProgram, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("scraping")
    document = configuration(target_samples=LIMIT, trusted_namespaces=["observability"])
    (pods,) = (job for job in document["scrape_configs"] if job["job_name"] == "pods")
    targets = folder / "targets.json"
    targets.write_text(
        json.dumps(
            [
                _target(program, "plain", "/plain"),
                _target(program, "query", "/metrics/a?format=prometheus&collect=cpu"),
                _target(program, "endless", "/endless"),
                _target(program, "compressed", "/compressed"),
                _target(program, "elsewhere", "/elsewhere"),
                *(_target(program, path.removeprefix("/"), path) for path in LABELS),
                _target(program, "liar", "/forged"),
                _target(program, "nameless", "/forged"),
                _target(program, "platform", "/forged", namespace="observability"),
            ]
        )
    )
    del pods["kubernetes_sd_configs"]
    server = Prometheus(folder / "server", {}, *prometheus_config.FLAGS, environment={"POD_NAME": "prometheus-0"})
    config = folder / "server" / "prometheus.yml"
    config.write_text(
        json.dumps(document | {"scrape_configs": [pods | {"file_sd_configs": [{"files": [str(targets)]}]}]})
    )
    with server:
        yield server


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_a_page_of_another_site_may_not_read_the_api(prometheus: Prometheus, origin: str) -> None:
    answer = httpx.get(f"http://{prometheus.address}/api/v1/query?query=up", headers={"Origin": origin})
    assert answer.is_success
    assert "access-control-allow-origin" not in answer.headers


def test_a_path_may_have_a_query(prometheus: Prometheus, program: ScrapedProgram) -> None:
    eventually(lambda: prometheus.series('up{pod="query"} == 1'), what="the target is not up")
    (asked,) = (path for path in program.paths if path.startswith("/metrics/a"))
    assert set(asked.removeprefix("/metrics/a?").split("&")) == {"format=prometheus", "collect=cpu"}
    eventually(lambda: "/plain" in program.paths, what="the path without a query is not asked for")


def test_a_target_with_endless_series_is_down_and_the_others_are_not(prometheus: Prometheus) -> None:
    """TargetDown is the alert on it."""
    eventually(lambda: prometheus.series('up{pod="endless"} == 0'), what="the target with too many series is up")
    eventually(lambda: prometheus.series('up{pod="plain"} == 1'), what="the other target is not up")
    assert not prometheus.series('till_items{pod="endless"}')


def test_labels_within_the_limits_are_taken(prometheus: Prometheus) -> None:
    eventually(lambda: prometheus.series('up{pod="fitting"} == 1'), what="the target at the limits is not up")
    assert prometheus.series('till_labels{pod="fitting"}')


@pytest.mark.parametrize("pod", [path.removeprefix("/") for path in LABELS if path != "/fitting"])
def test_a_target_with_labels_above_the_limits_is_down_and_the_others_are_not(prometheus: Prometheus, pod: str) -> None:
    """tests/backends/test_endless_series.py shows that TargetDown is delivered for such a target."""
    eventually(lambda: prometheus.series(f'up{{pod="{pod}"}} == 0'), what="the target is up")
    assert not prometheus.series(f'till_open{{pod="{pod}"}}')
    eventually(lambda: prometheus.series('up{pod="plain"} == 1'), what="the other target is not up")
    assert prometheus.series('till_items{pod="plain"}')


def test_a_small_answer_that_unpacks_to_much_is_refused(prometheus: Prometheus) -> None:
    eventually(lambda: prometheus.series('up{pod="compressed"} == 0'), what="4 MiB from 4 KiB are taken")


def test_a_redirect_is_not_followed(prometheus: Prometheus, program: ScrapedProgram) -> None:
    eventually(lambda: prometheus.series('up{pod="elsewhere"} == 0'), what="a target that only redirects is up")
    assert "/elsewhere" in program.paths
    assert "/ingester/shutdown" not in program.paths


@pytest.mark.parametrize("pod", ["liar", "nameless"])
def test_names_of_the_platform_do_not_come_from_a_scrape(prometheus: Prometheus, pod: str) -> None:
    eventually(lambda: prometheus.series(f'till_open{{pod="{pod}"}}'), what="the target is not scraped")
    names = {one["__name__"] for one in prometheus.series(f'{{pod="{pod}"}}')}
    # All others of these are Prometheus' own, about this target.
    assert names - {name for name in names if name.startswith("scrape_")} == {
        *("up", "node_modules_total", "till_open", "till_closed")
    }
    for own in ("up", "scrape_samples_scraped"):
        (series,) = prometheus.series(f'{own}{{pod="{pod}"}}')
        assert series.keys() == {"__name__", "namespace", "pod", "node", "app", "job", "instance"}
    assert prometheus.series(f'up{{pod="{pod}"}} == 1')


@pytest.mark.parametrize(("pod", "app"), [("liar", "liar"), ("nameless", "unknown")])
def test_a_series_says_who_sent_it(prometheus: Prometheus, pod: str, app: str) -> None:
    eventually(lambda: prometheus.series(f'till_open{{pod="{pod}"}}'), what="the target is not scraped")
    (series,) = prometheus.series(f'till_open{{pod="{pod}"}}')
    true = {name: value for name, value in series.items() if not name.startswith("exported_")}
    instance = true.pop("instance")
    assert instance != "a:1"
    assert true == {"__name__": "till_open", "namespace": "shop", "pod": pod, "node": "n", "app": app, "job": "pods"}
    assert series["exported_app"] == "upload"


def test_labels_that_rules_set_are_renamed_and_no_series_is_lost(prometheus: Prometheus) -> None:
    """Two series that differ only in such a label would end the evaluation of an alert, for everybody."""
    eventually(lambda: len(prometheus.series('till_closed{pod="liar"}')) == 2, what="a series is missing")
    claimed = [*RESERVED_LABELS, "cluster", "prometheus_replica"]
    for series in prometheus.series('till_closed{pod="liar"}'):
        assert not series.keys() & {*claimed, "__tmp_trusted"}
    renamed = {name for one in prometheus.series('till_closed{pod="liar"}') for name in one}
    assert {f"exported_{name}" for name in claimed} <= renamed


def test_the_platforms_own_pods_may_expose_what_its_rules_read(prometheus: Prometheus) -> None:
    """The drills imitate the platform in a namespace of their own."""
    eventually(lambda: prometheus.series('kube_pod_info{pod="platform"}'), what="a trusted series is dropped")
    assert prometheus.series('node_memory_MemTotal_bytes{pod="platform"}')
    assert not prometheus.series('ALERTS{pod="platform"}')
