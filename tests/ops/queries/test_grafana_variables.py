"""Variables are resolved as in Grafana: order, options, selection, formats and escaping."""

from collections.abc import Sequence
from typing import Any

import pytest

from ops.queries.grafana_interpolation import Chosen, Window, builtins, references, replaced, step
from ops.queries.grafana_variables import (
    Lookup,
    Variable,
    VariableError,
    filtered,
    in_order,
    in_sort_order,
    lookup,
    read,
    resolve,
)

HOUR = Window(start=1_000_000, end=1_003_600)


def no_data_source(_: Variable) -> Sequence[str]:
    raise AssertionError("no data source may be queried")


def variable(name: str = "x", **fields: Any) -> Variable:
    return Variable(name=name, **{"kind": "query", "query": "label_values(m, l)", **fields})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a$x", "a1"),
        ("a${x}b", "a1b"),
        ("[[x]]", "1"),
        ("[[x:csv]]", "1"),
        ("$xy $x", "$xy 1"),  # the longest name counts
        ("${x.field}", "1"),
        ('"$1"', '"$1"'),  # an argument of label_replace
        ("$unknown ${unknown:regex}", "$unknown ${unknown:regex}"),
        ("a{b='c'}$", "a{b='c'}$"),
    ],
)
def test_notations(text: str, expected: str) -> None:
    assert replaced(text, {"x": Chosen(values=("1",))}, {}, "prometheus") == expected


@pytest.mark.parametrize(
    ("values", "many", "language", "expected"),
    [
        (("a.b",), False, "prometheus", "a.b"),
        (("it's",), False, "prometheus", r"it\\'s"),
        (("a.b",), True, "prometheus", r"a\\.b"),
        (("a", "b"), True, "prometheus", "(a|b)"),
        (("a+b", "c(d)"), True, "prometheus", r"(a\\+b|c\\(d\\))"),
        (("a\\b",), True, "prometheus", r"a\\\\b"),
        (("5xx$",), True, "prometheus", r"5xx\\$"),
        (("a-b/c",), True, "prometheus", "a-b/c"),
        (("a.b",), True, "loki", r"a\\.b"),
        (("a", "b"), True, "loki", "a|b"),  # Loki's values have no brackets around them
        (("a", "b"), True, "plain", "{a,b}"),
        (("a.b",), True, "plain", "a.b"),
    ],
)
def test_escaping_of_each_data_source(values: tuple[str, ...], many: bool, language: Any, expected: str) -> None:
    assert replaced("$x", {"x": Chosen(values=values, many=many)}, {}, language) == expected


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("regex", r"(a\.b|c)"),
        ("pipe", "a.b|c"),
        ("csv", "a.b,c"),
        ("raw", "a.b,c"),
        ("glob", "{a.b,c}"),
        ("json", '["a.b", "c"]'),
        ("singlequote", "'a.b','c'"),
        ("doublequote", '"a.b","c"'),
        ("text", "a.b + c"),
        ("percentencode", "%7Ba.b%2Cc%7D"),
    ],
)
def test_formats(form: str, expected: str) -> None:
    assert replaced(f"${{x:{form}}}", {"x": Chosen(values=("a.b", "c"), many=True)}, {}, "prometheus") == expected


def test_a_single_value_in_a_format() -> None:
    one = {"x": Chosen(values=("a.b",), many=True)}
    assert replaced("${x:regex} ${x:glob} ${x:json}", one, {}, "prometheus") == r'a\.b a.b "a.b"'


def test_an_unknown_format_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"sql: no such format|no such format; Grafana supports csv, "):
        replaced("${x:sql}", {"x": Chosen(values=("a",))}, {}, "prometheus")


@pytest.mark.parametrize(("text", "expected"), [("$x", ".*"), ("${x:regex}", ".*"), ("${x:text}", "a + b")])
def test_a_custom_value_of_all_is_not_escaped(text: str, expected: str) -> None:
    assert replaced(text, {"x": Chosen(values=("a", "b"), many=True, all_value=".*")}, {}, "prometheus") == expected


def test_built_in_variables() -> None:
    own = builtins(HOUR, scrape_interval=15, interval=15)
    text = "$__interval $__rate_interval ${__range} $__range_s $__range_ms $__interval_ms $__from $__to"
    assert replaced(text, {}, own, "prometheus") == "15s 60s 3600s 3600 3600000 15000 1000000000 1003600000"


def test_the_rate_interval_grows_with_the_step() -> None:
    day = Window(start=0, end=86_400)
    interval = step(day, minimum=15)
    assert interval == 60
    assert builtins(day, scrape_interval=15, interval=interval)["__rate_interval"] == "75s"


@pytest.mark.parametrize(
    ("seconds", "minimum", "expected"), [(3600, 0, 5), (3600, 15, 15), (300, 0, 0.2), (604_800, 15, 600)]
)
def test_steps_are_rounded_as_grafana_does(seconds: float, minimum: float, expected: float) -> None:
    assert step(Window(start=0, end=seconds), minimum=minimum) == expected


def test_references() -> None:
    assert references('$a ${b:regex} [[c]] "$1" $__range') == {"a", "b", "c", "__range"}


def test_chained_variables_come_after_what_they_need() -> None:
    chain = [variable("c", query="label_values(m{b=~'$b'}, c)"), variable("b", regex="/$a/"), variable("a")]
    assert [one.name for one in in_order(chain)] == ["a", "b", "c"]


def test_a_source_variable_comes_first() -> None:
    chain = [variable("queue", datasource="${prometheus}"), variable("prometheus", kind="datasource")]
    assert [one.name for one in in_order(chain)] == ["prometheus", "queue"]


def test_a_circle_is_named() -> None:
    with pytest.raises(VariableError, match="variables a, b need each other"):
        in_order([variable("a", query="$b"), variable("b", query="$a")])


@pytest.mark.parametrize(
    ("fields", "options", "expected"),
    [
        ({"current": ("b",)}, ["a", "b"], Chosen(values=("b",))),
        ({"current": ("gone",)}, ["a", "b"], Chosen(values=("a",))),
        ({"multi": True, "current": ("b", "gone")}, ["a", "b"], Chosen(values=("b",), many=True)),
        ({"include_all": True, "current": ("gone",)}, ["a", "b"], Chosen(values=("a", "b"), many=True)),
        ({"include_all": True, "current": ("$__all",)}, ["a", "b"], Chosen(values=("a", "b"), many=True)),
        (
            {"include_all": True, "current": ("$__all",), "all_value": ".*"},
            ["a"],
            Chosen(values=("a",), many=True, all_value=".*"),
        ),
        (
            {"include_all": True, "current": ("$__all",), "all_value": ".*"},
            [],
            Chosen(values=(), many=True, all_value=".*"),
        ),
        ({"include_all": True, "current": ("a",), "all_value": ".*"}, ["a"], Chosen(values=("a",), many=True)),
    ],
)
def test_selection_of_values(fields: dict[str, Any], options: list[str], expected: Chosen) -> None:
    assert resolve(variable(**fields), lambda _: options) == expected


def test_nothing_to_select_is_an_error() -> None:
    with pytest.raises(VariableError, match=r"variable x: 'label_values\(m, l\)' has no values"):
        resolve(variable(), lambda _: [])


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"kind": "constant", "query": "c"}, ("c",)),
        ({"kind": "textbox", "query": "default", "current": ("typed",)}, ("typed",)),
        ({"kind": "textbox", "query": "default"}, ("default",)),
        ({"kind": "custom", "query": "a, b", "current": ("b",)}, ("b",)),
        ({"kind": "custom", "query": r"one : 1,two : 2\,5", "current": ("2,5",)}, ("2,5",)),
        ({"kind": "interval", "query": "1m,5m", "current": ("5m",)}, ("5m",)),
    ],
)
def test_variables_that_need_no_data_source(fields: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert resolve(variable(**fields), no_data_source).values == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("label_values(job)", Lookup(kind="label_values", label="job")),
        ("label_values(m, job)", Lookup(kind="label_values", argument="m", label="job")),
        (
            'label_values(m{a="b,c",d=~"e"}, job)',
            Lookup(kind="label_values", argument='m{a="b,c",d=~"e"}', label="job"),
        ),
        ("label_names()", Lookup(kind="label_names")),
        ("metrics(jq_.*)", Lookup(kind="metrics", argument="jq_.*")),
        ("query_result(topk(3, up))", Lookup(kind="query_result", argument="topk(3, up)")),
        ("up", Lookup(kind="series", argument="up")),
    ],
)
def test_parsing_of_queries(text: str, expected: Lookup) -> None:
    assert lookup(text) == expected


@pytest.mark.parametrize(
    ("regex", "expected"),
    [
        ("", ["a-1", "b-2", "a-10"]),
        ("/^a/", ["a-1", "a-10"]),
        ("/^A/i", ["a-1", "a-10"]),
        ("/-(.*)/", ["1", "2", "10"]),
        ("/^(.)-/", ["a", "b"]),
        ("/(?<text>.)-(?<value>.*)/", ["1", "2", "10"]),
        ("b-2", ["b-2"]),
        ("b", []),  # without slashes the whole value must match
    ],
)
def test_regexes_of_options(regex: str, expected: list[str]) -> None:
    assert filtered(["a-1", "b-2", "a-10", "a-1"], regex) == expected


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        (0, ["b10", "B2", "a1"]),
        (1, ["B2", "a1", "b10"]),
        (2, ["b10", "a1", "B2"]),
        (3, ["a1", "B2", "b10"]),
        (4, ["b10", "B2", "a1"]),
        (5, ["a1", "b10", "B2"]),
        (7, ["a1", "B2", "b10"]),
    ],
)
def test_orders_of_options(sort: int, expected: list[str]) -> None:
    assert in_sort_order(["b10", "B2", "a1"], sort) == expected


def test_variables_of_a_dashboard() -> None:
    dashboard = {
        "templating": {
            "list": [
                {"name": "ds", "type": "datasource", "query": "prometheus", "current": {"value": "prometheus"}},
                {
                    "name": "q",
                    "type": "query",
                    "query": {"query": "label_values(m, q)", "refId": "q"},
                    "datasource": {"type": "prometheus", "uid": "${ds}"},
                    "multi": True,
                    "includeAll": True,
                    "allValue": ".*",
                    "sort": 1,
                    "current": {"value": ["$__all"]},
                },
                {"name": "l", "type": "query", "query": {"label": "app", "stream": '{a="b"}', "type": 1}},
                {"name": "old", "type": "query", "query": "up", "datasource": "$ds", "current": {}},
            ]
        }
    }
    source, queue, loki, old = read(dashboard)
    assert (source.kind, source.query, source.current) == ("datasource", "prometheus", ("prometheus",))
    assert queue == Variable(
        name="q", kind="query", query="label_values(m, q)", datasource="${ds}", sort=1, multi=True, include_all=True,
        all_value=".*", current=("$__all",),
    )  # fmt: skip
    assert loki.query == 'label_values({a="b"}, app)'
    assert old.needs == {"ds"}


def test_an_unknown_type_is_named() -> None:
    with pytest.raises(VariableError, match="variable x: type 'snapshot' is not known; there are: query"):
        read({"templating": {"list": [{"name": "x", "type": "snapshot"}]}})
