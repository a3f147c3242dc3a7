# ruff: noqa: E501  (a case of a table stays on its line)
"""What Grafana would show as an error, or as nothing, is refused when dashboards are loaded."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dashboards import files
from dashboards.files import DashboardsError
from settings.apps import DATA_SOURCES

PROMETHEUS = {"type": "prometheus", "uid": "${prometheus}"}
LOKI = {"type": "loki", "uid": "${loki}"}
VARIABLES = [
    {"name": "prometheus", "type": "datasource", "query": "prometheus"},
    {"name": "loki", "type": "datasource", "query": "loki"},
    {"name": "queue", "type": "query", "query": "label_values(up, queue)"},
]


def panel(expression: object = "up", source: object = PROMETHEUS, **more: object) -> dict[str, Any]:
    return {"id": 1, "type": "timeseries", "targets": [{"datasource": source, "expr": expression}]} | more


def problems(folder: Path, *panels: object, **more: object) -> list[str]:
    document = {"uid": "a", "title": "A", "tags": ["api"], "templating": {"list": VARIABLES}, "panels": panels} | more
    (folder / "a.json").write_text(json.dumps(document))
    try:
        files.load(DATA_SOURCES, folder, {"api": "API"})
    except DashboardsError as error:
        return [line.removeprefix("dashboards/rendered/a.json: ") for line in error.problems]
    return []


@pytest.mark.parametrize(
    "expression",
    [
        "up",
        'rate(x{queue=~"$queue", pod=~"${queue:regex}"}[$__rate_interval])',
        "sum by ($queue) (x)",
        "topk($queue, x)",
        "max_over_time(x[$queue])",
        "x[$__range:1m]",
        'label_replace(x, "a", "$1", "b", "(.*)")',
    ],
)
def test_a_query_that_some_values_make_valid_passes(expression: str, tmp_path: Path) -> None:
    shown = [panel(expression)] if "[$__range:" not in expression else [panel(f"max_over_time({expression})")]
    assert problems(tmp_path, *shown) == []


@pytest.mark.parametrize(
    ("shown", "problem"),
    [
        (panel("sum(rate(("), "panels[0].targets[0].expr: 'sum(rate((' is not valid PromQL: "),
        (panel(""), "panels[0].targets[0].expr: no query; allowed: a text that prometheus can evaluate"),
        (panel(id=[]), "panels[0].id: []; allowed: a whole number"),
        (panel(id="1"), "panels[0].id: '1'; allowed: a whole number"),
        (panel(type=[]), "panels[0].type: []; allowed: a text, such as timeseries"),
        ({"id": 1}, "panels[0].type: None; allowed: a text, such as timeseries"),
        (panel(None, LOKI), "panels[0].targets[0].expr: no query; allowed: a text that loki can evaluate"),
        (panel("rate(x[$__rate_intervall])"), "panels[0].targets[0].expr: no variable $__rate_intervall; did you mean __rate_interval?"),
        (panel('x{queue="$queu"}'), "panels[0].targets[0].expr: no variable $queu; did you mean queue?"),
        (panel('{app="$appp"}', LOKI), "panels[0].targets[0].expr: no variable $appp; "),
        (panel(type="timeserie"), "panels[0].type: 'timeserie' is no type of Grafana's own panels; did you mean timeseries?"),
        (panel(targets=[]), "panels[0].targets: no query; allowed: at least one"),
        (panel(targets=[None]), "panels[0].targets[0]: must be an object"),
        (panel(links=[{"url": "/d/nowhere?orgId=1"}]), "panels[0].links[0].url: no dashboard 'nowhere'; "),
        (panel('sum(('), "panels[0].targets[0].expr: "),
    ],
)  # fmt: skip
def test_a_panel_that_shows_nothing_is_refused(shown: dict[str, Any], problem: str, tmp_path: Path) -> None:
    (found,) = problems(tmp_path, shown)
    assert found.startswith(problem)


def test_panels_of_a_closed_row_are_checked_too(tmp_path: Path) -> None:
    row = {"id": 2, "type": "row", "panels": [panel("sum((")]}
    (found,) = problems(tmp_path, row)
    assert found.startswith("panels[0].panels[0].targets[0].expr: ")


def test_two_panels_with_one_id_and_none_at_all(tmp_path: Path) -> None:
    assert problems(tmp_path, panel(), panel()) == ["panels[1].id: 1 is taken by panels[0]; allowed: once"]
    assert problems(tmp_path) == ["panels: none; allowed: at least one panel"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"uid": "a", "uid": "b"}', "not valid JSON: key 'uid' appears twice"),
        ('{"uid": NaN}', "not valid JSON: NaN is no JSON"),
        ("[" * 100_000, "not valid JSON: "),
    ],
)
def test_json_that_programs_read_differently_is_refused(text: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DashboardsError) as error:
        files.load(DATA_SOURCES, tmp_path, {"api": "API"})
    assert error.value.problems[0].startswith(f"dashboards/rendered/a.json: {problem}")


def test_a_list_of_nothing_among_the_variables_is_no_traceback(tmp_path: Path) -> None:
    assert problems(tmp_path, panel("up", "prometheus"), templating={"list": [None]}) == []


def places(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every key and index below a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


def test_whatever_stands_at_a_place_is_no_traceback(tmp_path: Path) -> None:
    whole = {"panels": [panel(title="A")], "templating": {"list": VARIABLES}, "tags": ["api"], "uid": "a", "title": "A"}
    for path in places(whole):
        for wrong in ([], {}, [[]], [{}], [None], {"a": []}, 0, 1.5, True, None, "x", ""):
            document = json.loads(json.dumps(whole))
            found = document
            for key in path[:-1]:
                found = found[key]
            found[path[-1]] = wrong
            shown = document.pop("panels")
            problems(tmp_path, *(shown if isinstance(shown, list) else [shown]), **document)
