"""Dashboards of media-upload and media-clustering: what the contract asks of each, and what its numbers say."""

import math
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from alerting import contract
from dashboards.builder.links import KEPT_TRACES
from local.toolchain import tool
from ops.queries.grafana_interpolation import Chosen, Window, builtins, replaced
from ops.queries.grafana_variables import read
from tests.dashboards.committed import Json, committed, panels, queries

CLUSTERING = "media-clustering-redis-streams"
TITLES = {
    "media-uploads": "Upload Overview",
    "media-overview": "Media Overview",
    "media-gateway": "Gateway Overview",
    "media-gateway-security": "Gateway Security",
    "media-infrastructure": "Media Infrastructure",
    "media-variants": "Variant Generator",
    CLUSTERING: "Media Clustering – Pipeline Health",
}
VARIABLES = {
    "media-uploads": {"namespace", "operation"},
    "media-overview": {"namespace"},
    "media-gateway": {"namespace", "route", "operation"},
    "media-gateway-security": {"namespace", "route", "reason", "client"},
    "media-infrastructure": {"namespace", "stream", "consumer"},
    "media-variants": {"namespace", "resolution", "aspect_ratio"},
    CLUSTERING: {"namespace", "backend", "operation"},
}
BUDGETS = {
    "media-uploads": {"media-upload-availability"},
    "media-gateway": {"media-gateway-latency"},
    "media-overview": {"media-upload-availability", "media-gateway-latency"},
}
CONTRACTS = contract.load()
OF_OTHERS = {"ALERTS", "up", "kube_pod_container_status_restarts_total"}
HOUR = builtins(Window(start=0, end=3600), scrape_interval=15, interval=15)


def in_rows(dashboard: Json) -> dict[str, dict[str, Json]]:
    """Title of a row -> title of a panel -> panel."""
    rows: dict[str, dict[str, Json]] = {"": {}}
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            rows[panel["title"]] = {}
        else:
            rows[list(rows)[-1]][panel["title"]] = panel
    return rows


def asked(*found: Json) -> str:
    """Every expression of these panels."""
    return "\n".join(target["expr"] for panel in found for target in panel["targets"])


def metrics(dashboard: Json) -> set[str]:
    """Names of the metrics that a dashboard's PromQL selects; histograms by the name of their family."""
    expressions = [one["expr"] for panel, one in queries(dashboard) if panel["datasource"]["uid"] == "${prometheus}"]
    names = {name for one in expressions for name in re.findall(r"([a-zA-Z_:][\w:]*)\{", one)}
    return {re.sub(r"_(bucket|count|sum)$", "", name) if "duration" in name else name for name in names}


@pytest.mark.parametrize(("stem", "title"), TITLES.items())
def test_titles_files_and_variables(stem: str, title: str) -> None:
    found = committed(stem)
    assert found["title"] == title
    assert found["uid"] == ("media-cluster-observability" if stem == CLUSTERING else stem)
    assert found["tags"][1] == ("media-clustering" if stem == CLUSTERING else "media-upload")
    chosen = {one["name"]: one for one in found["templating"]["list"] if one["type"] == "query"}
    assert chosen.keys() == VARIABLES[stem]
    assert all(one["query"]["query"].endswith(f", {name})") for name, one in chosen.items())


def test_every_metric_of_the_contract_is_drawn_and_no_other() -> None:
    uploads = {name for stem in TITLES.keys() - {CLUSTERING} for name in metrics(committed(stem))}
    recorded = {name for name in uploads if name.startswith("slo:")}
    assert uploads - recorded - OF_OTHERS == CONTRACTS["media-upload"].metrics.keys()
    assert metrics(committed(CLUSTERING)) - OF_OTHERS == {
        *CONTRACTS["media-clustering"].metrics,
        "media_uploads_total",
    }


@pytest.mark.parametrize("stem", TITLES)
def test_each_leads_to_the_others_of_its_kind(stem: str) -> None:
    header = committed(stem)["panels"][-1]["options"]["content"]
    linked = set(re.findall(r"\(/d/([\w-]+)\?[^)]*namespace:queryparam", header))
    wanted = {committed(one)["uid"] for one in TITLES} - {committed(stem)["uid"]}
    assert linked >= ({"media-uploads", "media-infrastructure"} if stem == CLUSTERING else wanted | {"platform-slos"})


@pytest.mark.parametrize("stem", TITLES)
def test_histograms_lead_to_traces(stem: str) -> None:
    """A graph of percentiles over time shows the exemplars of its buckets, once."""
    for panel in panels(committed(stem)):
        if panel["type"] == "timeseries" and "0.95" in asked(panel) and panel["title"] != "Duration":
            assert sum(target["exemplar"] for target in panel["targets"]) == 1, panel["title"]
            assert KEPT_TRACES in panel["description"], panel["title"]


@pytest.mark.parametrize(("stem", "slos"), BUDGETS.items())
def test_budgets_of_the_slos_lead_to_all_slos(stem: str, slos: set[str]) -> None:
    tiles = [one for one in panels(committed(stem)) if one["type"] == "stat" and "slo:budget_remaining" in asked(one)]
    assert {slo for one in tiles for slo in re.findall(r'slo="([\w-]+)"', asked(one))} == slos
    for one in tiles:
        assert [link["url"].split("?")[0] for link in one["links"]] == ["/d/platform-slos"]
        assert one["fieldConfig"]["defaults"]["thresholds"]["steps"][0]["color"] == "red"


def test_infrastructure_has_the_parts_of_the_contract() -> None:
    rows = in_rows(committed("media-infrastructure"))
    assert list(rows) == ["", "Now", "PostgreSQL", "NATS", "Redis", "MinIO", "OpenSearch"]
    assert {"Connection pool in use"} <= rows["PostgreSQL"].keys()
    assert {"Messages that wait", "Delivered, not acknowledged"} <= rows["NATS"].keys()
    assert {"Memory in use", "Hit rate"} <= rows["Redis"].keys()
    assert {"Bandwidth", "Storage"} <= rows["MinIO"].keys()
    assert rows["OpenSearch"]["Cluster status"]["type"] == "state-timeline"


def test_variants_by_resolution_and_aspect_ratio() -> None:
    found = {panel["title"]: asked(panel) for panel in panels(committed("media-variants")) if panel.get("targets")}
    assert "sum by (resolution) (rate(variant_generation_total" in found["Generation rate by resolution"]
    assert "sum by (resolution, le)" in found["Duration by resolution, p95"]
    assert "sum by (aspect_ratio) (rate(variant_generation_total" in found["Error rate by aspect ratio"]
    assert 'status="failure"' in found["Error rate by aspect ratio"]


def test_clustering_has_the_rows_and_panels_of_the_seed() -> None:
    rows = in_rows(committed(CLUSTERING))
    assert list(rows) == ["", "Outcomes Overview", "Throughput & Latency", "Feedback Activity", "Backlog"]
    outcomes = rows["Outcomes Overview"]
    assert [outcomes[title]["type"] for title in ("Successful jobs", "Failed jobs")] == ["stat", "stat"]
    assert 'outcome="success"' in asked(outcomes["Successful jobs"])
    assert 'outcome!="success"' in asked(outcomes["Failed jobs"])
    (noise,) = [panel for panel in outcomes.values() if panel["type"] == "gauge"]
    assert "cluster_last_noise_count" in asked(noise)
    work = rows["Throughput & Latency"]
    legends = [target["legendFormat"] for target in work["Job throughput"]["targets"]]
    assert legends == ["success/min", "failures/min"]
    legends = [target["legendFormat"] for target in work["Job duration by backend"]["targets"]]
    assert legends == ["{{backend}} p50", "{{backend}} p95"]
    assert asked(work["Job duration by backend"]).count("cluster_job_duration_seconds_bucket") == 2
    feedback = rows["Feedback Activity"]
    assert "(operation, outcome)" in asked(feedback["Feedback by operation and outcome"])
    for operation in ("merge", "split"):
        tile = feedback[f"{operation.capitalize()} successes"]
        assert tile["type"] == "stat"
        assert f'operation="{operation}", outcome="success"' in asked(tile)


def test_a_backlog_without_its_exporter_says_so() -> None:
    backlog = in_rows(committed(CLUSTERING))["Backlog"]
    drawn = {"Pending jobs": "media_cluster_pending_jobs", "Stream lag": "media_cluster_stream_lag_seconds"}
    for title, metric in drawn.items():
        assert metric in asked(backlog[title])
        assert "legacy worker exporter" in backlog[title]["description"]
        assert backlog[title]["fieldConfig"]["defaults"]["noValue"].endswith("exporter still runs")
    text = backlog["Backlog in Redis"]["options"]["content"]
    assert all(command in text for command in ("redis-cli", "XPENDING", "XINFO GROUPS", "XINFO CONSUMERS"))


def check(folder: Path, stem: str, title: str, series: Mapping[str, str], expected: float) -> None:
    """Evaluates a panel's first query after an hour of these series in namespace media; NaN is no value at all."""
    dashboard = committed(stem)
    chosen = {
        one.name: Chosen(
            values=("media",), many=one.multi, all_value=None if one.name == "namespace" else one.all_value
        )
        for one in read(dashboard)
    }
    first = next(panel for panel in panels(dashboard) if panel["title"] == title)["targets"][0]["expr"]
    if math.isnan(expected):  # which equals nothing, for promtool, too
        first, expected = f"count(({first}) != ({first}))", 1
    case = {
        "interval": "15s",
        "input_series": [
            {"series": 'up{app="b", pod="q"}', "values": "1x240"},  # without it nothing says that a counter is new
            *(
                {"series": f'{name[:-1]}, namespace="media", app="a", pod="p"}}', "values": values}
                for name, values in series.items()
            ),
        ],
        "promql_expr_test": [
            {
                "expr": replaced(first, chosen, HOUR, "prometheus"),
                "eval_time": "1h",
                "exp_samples": [{"labels": "{}", "value": expected}],
            }
        ],
    }
    file = folder / "case.yaml"
    file.write_text(yaml.safe_dump({"evaluation_interval": "15s", "tests": [case]}))
    done = subprocess.run([tool("promtool"), "test", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


OK, BAD = 'media_uploads_total{status="success"}', 'media_uploads_total{status="failure"}'
STORED = 'media_storage_operations_total{status="failure", operation="put"}'
USED, ALLOWED = 'redis_memory_used_bytes{x=""}', 'redis_memory_max_bytes{x=""}'
FAILED, TIMED_OUT = 'cluster_jobs_total{outcome="error"}', 'cluster_jobs_total{outcome="timeout"}'
LOST = 'cluster_feedback_operations_total{outcome="error", operation="merge"}'


@pytest.mark.parametrize(
    ("stem", "title", "series", "expected"),
    [
        pytest.param("media-uploads", "Failed uploads", {OK: "0+3x240", BAD: "0+1x240"}, 0.25, id="a quarter fails"),
        pytest.param("media-uploads", "Failed uploads", {OK: "0+3x240"}, 0, id="none ever failed"),
        pytest.param("media-uploads", "Failed uploads", {BAD: "0+1x240"}, 1, id="none ever succeeded"),
        pytest.param("media-uploads", "Failed uploads", {OK: "7x240", BAD: "1x240"}, math.nan, id="no uploads"),
        pytest.param("media-uploads", "Failed storage operations", {STORED: "_x200 1x40"}, 1, id="born at 1"),
        pytest.param("media-uploads", "Failed storage operations", {STORED: "9x240"}, 0, id="failed long ago"),
        pytest.param("media-infrastructure", "Redis memory", {USED: "90x240", ALLOWED: "100x240"}, 0.9, id="memory"),
        pytest.param(
            "media-infrastructure", "Redis memory", {USED: "90x240", ALLOWED: "0x240"}, math.nan, id="no limit"
        ),
        pytest.param(
            CLUSTERING, "Failures per minute", {FAILED: "_x230 5x10", TIMED_OUT: "_x235 10x5"}, 3, id="both kinds"
        ),
        pytest.param(CLUSTERING, "Failures per minute", {}, 0, id="no job ever failed"),
        pytest.param(CLUSTERING, "Failed feedback operations", {LOST: "_x239 1"}, 1, id="feedback just failed"),
    ],
)
def test_numbers(tmp_path: Path, stem: str, title: str, series: dict[str, str], expected: float) -> None:
    check(tmp_path, stem, title, series, expected)
