"""What a panel shows: values of now, graphs that can be read, and words where there is no value."""

import re

import pytest

from alerting import loader
from dashboards import DASHBOARDS
from tests.dashboards.committed import Json, committed, panels, queries


@pytest.fixture(params=sorted(DASHBOARDS))
def dashboard(request: pytest.FixtureRequest) -> Json:
    return committed(request.param)


def test_a_number_is_that_of_now(dashboard: Json) -> None:
    """Where a query over a range has no result any more, Grafana shows its last one: green numbers of what is gone."""
    for panel in panels(dashboard):
        for target in panel.get("targets", ()) if panel["type"] in ("stat", "gauge", "bargauge") else ():
            assert target.get("instant") or (panel["type"] == "stat" and "vector(" in target["expr"]), panel["title"]
            if "vector(NaN)" in target["expr"]:
                defaults = panel["fieldConfig"]["defaults"]
                (nan,) = [one["options"] for one in defaults["mappings"] if one["type"] == "special"]
                assert nan["match"] == "nan"
                assert nan["result"]["text"] == defaults.get("noValue", "no data"), panel["title"]


def test_a_panel_of_metrics_that_may_be_absent_says_why() -> None:
    """A counter that the first failure creates looks like a broken panel otherwise."""
    absent = loader.load().metrics.absent
    said: list[str] = []
    for stem in DASHBOARDS:
        found = committed(stem)
        for panel in panels(found):
            expressions = [
                one["expr"] for one in panel.get("targets", ()) if panel["datasource"]["uid"] == "${prometheus}"
            ]
            # Also names in a matcher of `__name__`.
            reasons = [[absent[name] for name in re.findall(r"\w+", one) if name in absent] for one in expressions]
            text = panel.get("fieldConfig", {}).get("defaults", {}).get("noValue", "")
            if reasons and all(reasons):
                assert all(any(why in text for why in one) for one in reasons), panel["title"]
                said.append(panel["title"])
            else:
                assert not text, panel["title"]
    assert {"Kafka publish error rate", "Feedback by operation and outcome", "Sources", "Database pool"} <= set(said)


def test_names_of_alerts_are_not_on_top_of_each_other(dashboard: Json) -> None:
    """In a panel of four units of the grid, as seen in Grafana: a band with a name needs one, and a legend three."""
    (states,) = [panel for panel in panels(dashboard) if panel["title"] == "Alert states"]
    (target,) = states["targets"]
    assert re.findall(r"\btopk\((\d+),", target["expr"]) == [str(states["gridPos"]["h"])] * 2
    assert states["options"]["legend"]["showLegend"] is False


def test_rates_of_log_lines_have_steps_with_some_lines() -> None:
    graphs = [
        panel
        for stem in DASHBOARDS
        for panel, one in queries(committed(stem))
        if panel["type"] == "timeseries" and "[$__interval]" in one["expr"]
    ]
    assert len(graphs) > 5
    assert {panel["interval"] for panel in graphs} == {"30s"}
