"""A cell of a table leads to its value, and a latency to the lines of its time."""

import json
import re

import pytest

from dashboards import DASHBOARDS
from tests.dashboards.committed import Json, committed, panels, queries


@pytest.fixture(params=sorted(DASHBOARDS))
def dashboard(request: pytest.FixtureRequest) -> Json:
    return committed(request.param)


def test_a_cell_chooses_its_value_where_the_dashboard_has_the_variable(dashboard: Json) -> None:
    by_label = {
        match[1]: one["name"]
        for one in dashboard["templating"]["list"]
        if one["type"] == "query" and (match := re.search(r", (\w+)\)$", one["query"]["query"]))
    }
    for panel in (one for one in panels(dashboard) if one["type"] == "table"):
        linked = {
            override["matcher"]["options"]: link["url"]
            for override in panel["fieldConfig"]["overrides"]
            for part in override["properties"]
            if part["id"] == "links"
            for link in part["value"]
        }
        titles: dict[str, str] = panel["transformations"][-1]["options"]["renameByName"]
        for label, variable in by_label.items():
            if label in titles:
                url = linked[titles[label]]
                assert url.startswith(f"/d/{dashboard['uid']}?from=${{__from}}&to=${{__to}}&"), url
                assert url.endswith(f"&var-{variable}=${{__value.raw:percentencode}}"), url
                others = set(re.findall(r"\$\{(\w+):queryparam\}", url))
                assert others == set(by_label.values()) - {variable}


def test_tables_of_kubernetes_lead_to_the_object() -> None:
    for uid, title, target in (
        ("kubernetes-cluster", "Use by namespace", "/d/kubernetes-namespace?"),
        ("kubernetes-namespace", "Use and requests by workload", "/d/kubernetes-workload?"),
        ("kubernetes-node", "Use by pod", "/d/kubernetes-namespace?"),
    ):
        (panel,) = [one for one in panels(committed(uid)) if one["title"] == title]
        assert target in json.dumps(panel["fieldConfig"]["overrides"])


def test_a_latency_opens_the_lines_of_its_time(dashboard: Json) -> None:
    for panel, target in queries(dashboard):
        if "histogram_quantile(" in target["expr"] and panel["type"] != "table":
            (link, *_) = panel["fieldConfig"]["defaults"]["links"]
            assert link["url"].startswith("/explore?left="), panel["title"]
