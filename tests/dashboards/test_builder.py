"""The house style's own rules: layout, limits, colours, links."""

import json
from dataclasses import replace
from urllib.parse import unquote

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import FieldColorModeId, Panel

from alerting import counting
from dashboards.builder import units
from dashboards.builder.dashboard import About, dashboard
from dashboards.builder.layout import line, place, row
from dashboards.builder.links import explore_logs
from dashboards.builder.look import Limits, Look, Word
from dashboards.builder.panels import lines, over, single
from dashboards.builder.queries import grown, or_zero, otelcol, prom, quantile, share
from dashboards.builder.tables import Column, ranking
from dashboards.builder.variables import label_values


def test_a_line_is_shared_equally_to_the_last_column() -> None:
    placed = place([row("", line(*(Panel(title=str(number)) for number in range(5))))])
    assert [panel.grid_pos.w for panel in placed if panel.grid_pos] == [4, 5, 5, 5, 5]
    assert [panel.grid_pos.x for panel in placed if panel.grid_pos] == [0, 4, 9, 14, 19]


def test_rows_and_lines_follow_each_other() -> None:
    placed = place(
        [row("", line(Panel(), height=4)), row("More", line(Panel(), Panel(), height=6), line(Panel(), height=2))]
    )
    assert [(one.grid_pos.y, one.grid_pos.h) for one in placed if one.grid_pos] == [
        (0, 4), (4, 1), (5, 6), (5, 6), (11, 2),
    ]  # fmt: skip
    assert [one.id_val for one in placed] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("widths", [(12,), (12, 13), (0, 24)])
def test_widths_that_do_not_fit_are_refused(widths: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="2 panels cannot have the widths"):
        line(Panel(), Panel(), widths=widths)


def test_limits_become_colours_from_the_lowest_value_up() -> None:
    high = Limits(warning=1, critical=2, why="because.")
    low = Limits(warning=2, critical=1, low_is_bad=True, why="because.")
    assert [(step.value, step.color) for step in high.steps()] == [(None, "green"), (1, "orange"), (2, "red")]
    assert [(step.value, step.color) for step in low.steps()] == [(None, "red"), (1, "orange"), (2, "green")]


def test_the_reason_of_a_limit_stands_in_the_description() -> None:
    panel = single("T", "Shows it.", prom("up", "up"), Look(unit=units.EXACT, limits=Limits(warning=1, why="reason.")))
    assert panel.description == "Shows it. Limits: reason."


def test_queries_are_lettered_in_order() -> None:
    panel = lines("T", "D.", [prom("a", "a"), prom("b", "b")], Look(unit=units.COUNT))
    built = [
        json.loads(json.dumps(target.to_json(), default=lambda one: one.to_json())) for target in panel.targets or []
    ]
    assert [(one["refId"], one["expr"]) for one in built] == [("A", "a"), ("B", "b")]


def test_small_parts_of_queries() -> None:
    assert or_zero("sum(x)") == "sum(x)\nor on ()\nvector(0)"
    assert or_zero("sum(x)", "pod") == 'sum(x)\nor on ()\nlabel_replace(vector(0), "pod", "none", "", "")'
    assert quantile(0.95, "x_bucket", "a") == (
        "histogram_quantile(0.95, sum by (a, le) (rate(x_bucket[$__rate_interval])))"
    )
    assert otelcol("x", 'app="y"') == '{__name__=~"otelcol_x(_total)?", app="y"}'


def test_a_part_without_series_is_none_of_the_whole() -> None:
    assert share("sum(a)", "sum(b)") == "(sum(a) or 0 * sum(b)) / sum(b)"


def test_panels_count_as_the_alerts_do() -> None:
    """The same expression, one step further each time: of a panel by a subquery, of a rule by its evaluations."""
    (group,) = counting.deployed(
        [{"name": "g", "rules": [{"alert": "A", "expr": "sum by (b) (increase(x[5m])) > 1"}]}], counting.PANEL_STEP
    )
    assert grown("x", "5m", "b") == f"sum_over_time(({group['rules'][0]['expr'].strip()})[5m:{counting.PANEL_STEP}])"


def test_the_first_choice_of_a_variable() -> None:
    everything = label_values("n", "n", "up", only_these=True).to_json()
    one = label_values("n", "n", "up", only_these=True, first="mine").to_json()
    assert everything["current"].value == ["$__all"]
    assert one["current"].value == ["mine"]


def test_the_text_is_as_high_as_its_lines() -> None:
    about = About(uid="u", title="T", system="s", purpose="p " * 30, runbooks=["A" * 25], logs='{a="b"}')
    assert dashboard(about, [], [])["panels"][-1]["gridPos"]["h"] == 5
    many = replace(about, runbooks=["A" * 25] * 20)
    assert dashboard(many, [], [])["panels"][-1]["gridPos"]["h"] == 6


def test_a_dashboard_may_be_about_other_alerts_than_its_system_has() -> None:
    about = About(uid="u", title="T", system="s", purpose="P.", runbooks=[], logs='{a="b"}', alerts='slo=~".+"')
    now, states, *_ = dashboard(about, [], [])["panels"]
    assert now["options"]["alertInstanceLabelFilter"] == '{slo=~".+"}'
    assert 'ALERTS{slo=~".+", alertstate="firing"}' in states["targets"][0]["expr"]


def test_a_table_can_begin_with_the_smallest_and_widen_a_column() -> None:
    column = Column(title="Left", expression="a", unit=units.RATIO, decimals=3)
    panel = ranking("T", "D.", [column], {"slo": "SLO"}, smallest_first=True, wide="SLO")
    built = json.loads(json.dumps(panel, cls=JSONEncoder))
    assert built["options"]["sortBy"] == [{"displayName": "Left", "desc": False}]
    changes = {one["matcher"]["options"]: one["properties"] for one in built["fieldConfig"]["overrides"]}
    assert [one["id"] for one in changes["SLO"]] == ["custom.width"]
    assert {"id": "decimals", "value": 3} in changes["Left"]


def test_a_panel_may_have_its_own_past() -> None:
    assert over(lines("T", "D.", [prom("a", "a")], Look(unit=units.RATIO)), "30d").time_from == "30d"


def test_a_link_to_explore_keeps_variables_readable() -> None:
    address = explore_logs('{namespace="x"}')
    assert "${loki}" in address
    state = json.loads(unquote(address.removeprefix("/explore?left=")))
    assert state["queries"][0]["expr"] == '{namespace="x"}'
    assert state["range"] == {"from": "${__from}", "to": "${__to}"}
    assert "${service:pipe}" in explore_logs('{service=~"${service:pipe}"}')


def test_graphs_of_nothing_but_zeros_have_a_scale() -> None:
    def scale(look: Look) -> float | None:
        panel = lines("T", "D.", [prom("a", "a")], look)
        return panel.to_json()["fieldConfig"].defaults.custom.axis_soft_max

    assert scale(Look(unit=units.PER_SECOND)) == 0.1
    assert scale(Look(unit=units.PER_SECOND, at_least=3)) == 3
    assert scale(Look(unit=units.SECONDS)) is None


def test_words_have_their_own_colours() -> None:
    """In the mode `thresholds` a state timeline of 9.4 writes the limits (-∞+) instead of the words."""
    word = Look(unit=units.EXACT, words=(Word(value=1, text="up", colour="green"),))
    assert word.colour(by_series=False).build().mode == FieldColorModeId.FIXED
    limits = Look(unit=units.EXACT, limits=Limits(critical=1, why="because."))
    assert limits.colour(by_series=False).build().mode == FieldColorModeId.THRESHOLDS
