"""The deployed rules believe the namespaces of their system only: nobody else fires, drowns or holds their alerts."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from alerting import loader, missing_metrics, speakers
from tools.rule_tests.promtool import LINKS, promtool, write

PLATFORM = ["observability", "observability-agent"]
STACK = speakers.StackNamespaces(platform=PLATFORM)
# What Prometheus takes from nobody but the platform: tests/backends/test_scraping.py.
TRUSTED = "up|ALERTS|.*:.*|(apiserver|container_(cpu|memory|network)|coredns|kube|kubelet|node|traces_span_metrics)_.+"
SHARED = {"api"}  # many services expose its metrics
OF_ALL = {"kubernetes"}  # its metrics are about every namespace, and all of them are trusted


@pytest.fixture(scope="module")
def deployed() -> Mapping[str, str]:
    return loader.render(loader.load(), {}, LINKS, interval="1m", namespaces=STACK)


def test_every_selector_of_a_system_names_its_namespaces() -> None:
    rule_set = loader.load()
    files = loader.render(rule_set, {}, LINKS, interval=None, namespaces=STACK)
    seen: set[str] = set()
    for name, file in rule_set.files.items():
        if name == missing_metrics.FILE:
            continue
        (system,) = {alert.labels.system for alert in file.alerts()}
        believed = PLATFORM if system == speakers.PLATFORM else rule_set.systems[system].namespaces
        assert bool(believed) is (system not in SHARED | OF_ALL), system
        for rule in (rule for group in yaml.safe_load(files[name])["groups"] for rule in group["rules"]):
            for metric, matchers in _read(rule["expr"]):
                if system in OF_ALL:
                    assert re.fullmatch(TRUSTED, metric), (name, metric)
                    seen.add(system)
                # The label `app` is what a pod says of itself, also beside `up`.
                if believed and (not re.fullmatch(TRUSTED, metric) or (metric == "up" and "app" in matchers)):
                    assert matchers.get("namespace") == "|".join(believed), (name, metric)
                    seen.add(system)
    assert seen == rule_set.systems.keys() - SHARED


def _read(expression: str) -> list[tuple[str, dict[str, str]]]:
    """Each metric that an expression reads, and the values of its matchers by label."""
    found: list[tuple[str, dict[str, str]]] = []

    def visit(node: object) -> bool:
        selector = node.vector_selector if isinstance(node, promql_parser.MatrixSelector) else node
        if isinstance(selector, promql_parser.VectorSelector):
            matchers: list[Any] = list(selector.matchers.matchers)
            found.append((str(selector.name), {matcher.name: matcher.value for matcher in matchers}))
        return True

    promql_parser.walk(promql_parser.parse(expression), visit)
    return found


@pytest.mark.parametrize(
    ("written", "restricted"),
    [
        ("a > 1", 'a{namespace=~"n"} > 1'),
        ("a{}", 'a{namespace=~"n"}'),
        ('sum by (a, namespace) (a{x="}", y=~"{a}",})', 'sum by (a, namespace) (a{x="}", y=~"{a}", namespace=~"n"})'),
        ("rate(a[5m])", 'rate(a{namespace=~"n"}[5m])'),
        ("a offset 5m # of a", 'a{namespace=~"n"} offset 5m # of a'),
        ("a * on (a) group_left (a) b", 'a{namespace=~"n"} * on (a) group_left (a) b'),
        ('label_replace(a, "a", "a", "", "a")', 'label_replace(a{namespace=~"n"}, "a", "a", "", "a")'),
        ("up == 0 or level:a:sum", "up == 0 or level:a:sum"),
        ('up{app="a"}', 'up{app="a", namespace=~"n"}'),
        ('up{job="a"}', 'up{job="a"}'),
        ("kube_pod_info * on (a) node_load1", "kube_pod_info * on (a) node_load1"),
    ],
)
def test_a_matcher_is_added_to_selectors_only(written: str, restricted: str) -> None:
    believed = {metric: ["n"] for metric in ("a", "up", "kube_pod_info", "node_load1", "level:a:sum")}
    assert speakers.expression(written, believed) == restricted


def test_drills_imitate_every_system_that_has_namespaces() -> None:
    stack = speakers.StackNamespaces(platform=PLATFORM, drills=["drills"])
    files = loader.render(loader.load(), {}, LINKS, interval=None, namespaces=stack)
    assert 'jq_workers_active{namespace=~"drills|job-queue"}' in files["job-queue.yaml"]
    assert 'namespace=~"drills|observability|observability-agent"' in files["platform-alerting.yaml"]
    assert "namespace=~" not in files["api.yaml"]
    # The alert on missing metrics asks for each where its rules read it.
    assert 'absent(jq_workers_active{namespace=~"drills|job-queue"})' in files[missing_metrics.FILE]
    assert "absent(request_count)" in files[missing_metrics.FILE]


def test_several_namespaces() -> None:
    assert speakers.expression("a", {"a": ["m", "n"]}) == 'a{namespace=~"m|n"}'


def _series(text: str, values: str) -> dict[str, str]:
    return {"series": text, "values": values}


FOREIGN: dict[str, tuple[str, list[dict[str, str]], str]] = {
    "a page for a whole day from one scrape": (
        "job-queue.yaml",
        [_series('jq_workers_active{namespace="NAMESPACE"}', "5x3 _x60")],
        "JobQueueNoWorkers",
    ),
    "a storm": (
        "job-queue.yaml",
        [_series(f'jq_queue_depth{{namespace="NAMESPACE", status="PENDING", queue="q{i}"}}', "5000x60") for i in "ab"],
        "JobQueueDepthHigh",
    ),
    "a failing platform": (
        "platform-alerting.yaml",
        [
            _series('up{namespace="NAMESPACE", job="pods", instance="a"}', "1x60"),
            _series(
                'alertmanager_notifications_failed_total{namespace="NAMESPACE", job="pods", instance="a", '
                'integration="slack", receiver_name="r"}',
                "0x20 5x40",
            ),
        ],
        "AlertmanagerNotificationsFailing",
    ),
    "a pod with the label of a Loki that stores nothing": (
        "platform-telemetry.yaml",
        [
            _series('up{namespace="NAMESPACE", app="loki", job="pods", instance="a"}', "1x60"),
            _series(
                'otelcol_receiver_accepted_log_records{namespace="observability-agent", app="otel-agent", job="pods", '
                'instance="b"}',
                "0+60x60",
            ),
            _series('up{namespace="observability-agent", app="otel-agent", job="pods", instance="b"}', "1x60"),
        ],
        "LokiIngestionStopped",
    ),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_namespace_fires_nothing(name: str, deployed: Mapping[str, str], tmp_path: Path) -> None:
    """The same series fire from a namespace of the system."""
    file, series, alert = FOREIGN[name]
    owner = "observability" if file.startswith("platform") else "job-queue"
    fires = [
        _fires(deployed, tmp_path / namespace, file, _in(series, namespace), alert) for namespace in (owner, "attacker")
    ]
    assert fires == [True, False]


def _in(series: list[dict[str, str]], namespace: str) -> list[dict[str, str]]:
    return [one | {"series": one["series"].replace("NAMESPACE", namespace)} for one in series]


def _fires(deployed: Mapping[str, str], folder: Path, file: str, series: list[dict[str, str]], alert: str) -> bool:
    """Whether the alert fires after half an hour. Promtool shows alerts only when it expects none and finds some."""
    write({file: deployed[file]}, folder)
    expected = [{"eval_time": f"{minute}m", "alertname": alert, "exp_alerts": []} for minute in (10, 25, 30)]
    test: dict[str, Any] = {"interval": "1m", "input_series": series, "alert_rule_test": expected}
    document = {"rule_files": [file], "evaluation_interval": "1m", "tests": [test]}
    (folder / "test.yaml").write_text(yaml.safe_dump(document))
    result = promtool("test", "rules", folder / "test.yaml")
    output = result.stdout + result.stderr
    assert result.returncode == 0 or f'alertname="{alert}"' in output, output
    return result.returncode != 0
