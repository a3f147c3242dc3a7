"""The committed dashboards: what their builders give, and the rules of the house."""

import json
import re

import promql_parser
import pytest

from alerting import counting, loader
from dashboards import DASHBOARDS
from dashboards.builder import units
from dashboards.builder.links import KEPT_TRACES
from dashboards.builder.queries import ERRORS, WARNINGS
from dashboards.files import DashboardFile
from ops.queries.grafana_interpolation import references
from ops.queries.grafana_variables import read
from tests.dashboards.committed import OWN, Json, committed, filled_in, panels, queries

SOURCES = {"${prometheus}", "${loki}", "${jaeger}"}
UNITS = {value for name, value in vars(units).items() if name.isupper() and isinstance(value, str)}
WINDOWS_OF_ALERTS = {
    window for rule in loader.load().rules().values() for window in re.findall(r"\[(\d+[smhd])\]", rule.expr)
}
# Dashboards whose alerts are not those of one system.
ALERTS_OF = {
    "platform-slos": 'slo=~".+"',
    "speccursor-infrastructure": 'alertname=~"Node.+|PodCrashLooping|TargetDown"',
}
QUEUE_PANELS = [
    "Queue depth by queue and status",
    "Throughput",
    "End-to-end latency",
    "Active workers and concurrency",
    "Scheduler cycle duration",
    "Kafka publish error rate",
    "Redis operation duration",
    "gRPC duration by method",
]
# What PanelChrome and the query runner of 9.4 know; a kind added later would be an empty box there.
KINDS = {
    "timeseries",
    "stat",
    "gauge",
    "bargauge",
    "heatmap",
    "table",
    "logs",
    "state-timeline",
    "alertlist",
    "text",
    "row",
}


@pytest.fixture(params=sorted(DASHBOARDS))
def dashboard(request: pytest.FixtureRequest) -> Json:
    return committed(request.param)


def test_no_identity_of_one_grafana(dashboard: Json) -> None:
    assert not {"id", "version", "__inputs"} & dashboard.keys()


def test_opens_like_all_others(dashboard: Json) -> None:
    assert dashboard["time"] == {"from": "now-1h", "to": "now"}
    assert dashboard["refresh"] == "30s"
    assert dashboard["graphTooltip"] == 1
    assert dashboard["timezone"] == "utc"
    assert not dashboard["editable"]
    assert dashboard["tags"][0] == "observability"
    assert len(dashboard["tags"]) == 2
    assert [link["tags"] for link in dashboard["links"]] == [[dashboard["tags"][1]], ["observability"]]


def test_ids_are_unique(dashboard: Json) -> None:
    ids = [one["id"] for panel in dashboard["panels"] for one in (panel, *panel.get("panels", []))]
    assert len(set(ids)) == len(ids)
    assert all(number > 0 for number in ids)


def test_panels_fill_the_grid_without_overlap(dashboard: Json) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
    bottom = max(y for _, y in taken)
    assert taken == {(x, y) for x in range(24) for y in range(bottom + 1)}


def test_every_panel_explains_itself(dashboard: Json) -> None:
    for panel in panels(dashboard):
        assert panel["type"] in KINDS
        assert panel["title"].strip()
        assert panel["description"].strip().endswith((".", "?")), panel["title"]
        if panel["type"] != "text":
            assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]
            assert panel["datasource"]["uid"] in SOURCES, panel["title"]
        if panel["type"] not in ("text", "alertlist"):
            assert panel["targets"], panel["title"]


def test_titles_are_unique_within_a_row(dashboard: Json) -> None:
    row, seen = "", set()
    for panel in dashboard["panels"]:
        row = panel["title"] if panel["type"] == "row" else row
        assert (row, panel["title"]) not in seen
        seen.add((row, panel["title"]))


def test_every_query_has_a_legend_and_a_source_variable(dashboard: Json) -> None:
    for panel, target in queries(dashboard):
        assert target["legendFormat"].strip(), panel["title"]
        assert target["datasource"]["uid"] == panel["datasource"]["uid"], panel["title"]
    letters = [[target["refId"] for target in panel.get("targets", [])] for panel in panels(dashboard)]
    assert all(len(set(one)) == len(one) for one in letters)


def test_source_variables_start_with_the_uids_of_the_platform(dashboard: Json) -> None:
    found = {one["name"]: one for one in dashboard["templating"]["list"] if one["type"] == "datasource"}
    assert {f"${{{name}}}" for name in found} == SOURCES
    for name, one in found.items():
        assert one["query"] == name
        assert one["current"]["value"] == name


def test_every_variable_that_is_used_exists(dashboard: Json) -> None:
    known = {one["name"] for one in dashboard["templating"]["list"]} | OWN.keys() | {"__all"}
    # Known in links only: the time range that the next dashboard opens with, and the value of the cell.
    known |= {"__url_time_range", "__value"}
    assert references(json.dumps(dashboard)) <= known


def test_every_query_is_complete_and_promql_parses(dashboard: Json) -> None:
    """Loki evaluates those on logs: tests/rules/loki/test_logql.py."""
    count = 0
    for panel, target in queries(dashboard):
        text = filled_in(dashboard, target["expr"])
        assert not references(text), text
        if panel["datasource"]["uid"] == "${prometheus}":
            promql_parser.parse(text)
        count += 1
    assert count >= 8


def test_rates_follow_the_scrape_interval(dashboard: Json) -> None:
    """A fixed window is empty where the scrape interval is longer, and too coarse where it is shorter.

    What is compared with the limit of an alert has the alert's window. What is counted is counted step by step.
    """
    allowed = {"$__rate_interval", "$__range", "$__interval", counting.PANEL_STEP, *WINDOWS_OF_ALERTS}
    for panel, target in queries(dashboard):
        windows = set(re.findall(r"\[([^\[\]:]+)\]", target["expr"])) - {"^", "0-9"}
        assert windows <= allowed, (panel["title"], windows)


def test_data_sources_are_not_offered(dashboard: Json) -> None:
    """A stack has one of each kind."""
    hidden = {one["name"] for one in dashboard["templating"]["list"] if one.get("hide") == 2}
    assert hidden >= {name.strip("${}") for name in SOURCES}


def test_the_story_comes_first_and_the_text_last(dashboard: Json) -> None:
    """Numbers begin in the upper third of a laptop's screen."""
    alerts, states = dashboard["panels"][:2]
    header = dashboard["panels"][-1]
    assert alerts["gridPos"]["h"] <= 4
    which = ALERTS_OF.get(dashboard["uid"], f'system="{dashboard["tags"][1]}", alertname!="Watchdog"')
    assert header["type"] == "text"
    assert "/explore?left=" in header["options"]["content"]
    assert alerts["options"]["alertInstanceLabelFilter"] == f"{{{which}}}"
    assert f"ALERTS{{{which}, " in states["targets"][0]["expr"]


def test_the_job_queue_has_the_eight_panels_of_the_contract() -> None:
    found = committed("job-queue-overview")
    assert [panel["title"] for panel in panels(found)[2:-1]] == QUEUE_PANELS
    assert [one["name"] for one in found["templating"]["list"] if one["type"] == "query"] == ["namespace", "queue"]
    assert all("$namespace" in target["expr"] for _, target in queries(found)[1:])
    assert panels(found)[2]["type"] == "gauge"


def test_latency_graphs_lead_to_traces() -> None:
    for panel in panels(committed("api-observability")):
        asked = [one for one in panel.get("targets", []) if "_bucket" in one["expr"]]
        if panel["type"] == "timeseries" and asked:
            assert any(one["exemplar"] for one in asked), panel["title"]
            assert KEPT_TRACES in panel["description"], panel["title"]


def test_runbooks_follow_the_stack() -> None:
    base = committed("platform-alerting")
    where = "dashboards/rendered/platform-alerting.json"
    file = DashboardFile(
        uid="one", title="One", system="platform", folder="Platform", file=where, text=json.dumps(base)
    )
    changed = json.loads(file.for_stack(runbook_base_url="https://books.example/x/"))
    (variable,) = [one for one in changed["templating"]["list"] if one["name"] == "runbooks"]
    assert variable["query"] == variable["current"]["value"] == variable["current"]["text"] == "https://books.example/x"
    assert base == committed("platform-alerting")


def test_a_zero_for_nothing_is_no_row_beside_others(dashboard: Json) -> None:
    """`sum by (x) (…) or vector(0)` draws a nameless zero beside every x."""
    for panel, target in queries(dashboard):
        assert not re.search(r"\bor\s+(label_replace\()?vector\(", target["expr"]), panel["title"]


def test_all_services_are_those_with_request_metrics() -> None:
    """Traces and logs of other systems have a label for the service, too."""
    found = {one.name: one for one in read(committed("api-observability"))}
    assert [found[name].all_value for name in ("namespace", "service")] == [None, None]
    assert found["endpoint"].all_value == ".*"
    assert all('"api"' not in target["expr"] for panel, target in queries(committed("api-observability"))[1:])


def test_every_server_shows_the_age_of_its_last_evaluation() -> None:
    (age,) = [one for panel, one in queries(committed("platform-alerting")) if panel["title"].startswith("Age of")]
    assert "by (pod, rule_group)" in age["expr"]
    assert age["legendFormat"] == "{{group}} {{pod}}"


@pytest.mark.parametrize("uid", ["platform-overview", "platform-alerting"])
def test_firing_alerts_of_all_engines_are_counted(uid: str) -> None:
    """ALERTS has only those of Prometheus' own rules."""
    (firing,) = [one for panel, one in queries(committed(uid)) if panel["title"] == "Alerts firing"]
    assert 'alertmanager_alerts{state="active"}' in firing["expr"]


def test_what_else_happened_is_a_line_on_every_graph(dashboard: Json) -> None:
    """Alerts of the dashboard that begin to fire; changed Deployments and restarted containers in its namespace.

    A line and no area: the result of a step is not that of the next. None is lost, however long the steps are.
    """
    firing, *changed = dashboard["annotations"]["list"]
    which = ALERTS_OF.get(dashboard["uid"], f'system="{dashboard["tags"][1]}", alertname!="Watchdog"')
    fired = f'ALERTS{{{which}, alertstate="firing"}}[$__interval]'
    assert firing["expr"] == f"last_over_time({fired}) unless last_over_time({fired} offset $__interval)"
    assert all("[$__rate_interval]" in one["expr"] for one in changed)
    named = {one["name"] for one in dashboard["templating"]["list"]}
    assert ['{namespace=~"$namespace"}' in one["expr"] for one in changed] == [True, True] * ("namespace" in named)
    for one in dashboard["annotations"]["list"]:
        assert one["enable"]
        selected = promql_parser.parse(filled_in(dashboard, one["expr"]))
        assert selected


def test_errors_are_found_however_their_level_is_written(dashboard: Json) -> None:
    """As alerts on log lines do."""
    (errors,) = {
        found
        for rule in loader.load().rules().values()
        if rule.engine == "loki"
        for found in re.findall(r'level=~?"[^"]*"', rule.expr)
    }
    assert errors == ERRORS
    assert ERRORS.replace("(?i)", "(?i)warn(ing)?|") == WARNINGS
    for panel, target in queries(dashboard):
        if panel["datasource"]["uid"] == "${loki}":
            named = re.findall(r'(?<!\|)level=~?"(?!\$)[^"]*"', target["expr"].partition("}")[2])
            assert set(named) <= {ERRORS, WARNINGS}, panel["title"]
    assert not re.search(r"level%3D~?%5C%22(WARN|ERROR)", json.dumps(dashboard))


def test_details_of_each_program_wait_in_closed_rows() -> None:
    """46 queries every 30 seconds are too many for whoever only wants to know whether all is well."""
    rows = [panel for panel in committed("platform-overview")["panels"] if panel["type"] == "row"]
    assert [row["title"] for row in rows if not row["collapsed"]] == [row["title"] for row in rows[:2]]
    assert all(row["panels"] for row in rows[2:])
