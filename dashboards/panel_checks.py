"""What is wrong with the panels of a dashboard: Grafana would show an error, or nothing."""

import re
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any, cast

from alerting import expressions
from alerting.problems import closest

Json = Mapping[str, Any]
_PLUGINS = frozenset(
    """alertlist annolist barchart bargauge candlestick canvas dashlist datagrid flamegraph gauge geomap graph heatmap
    histogram logs news nodeGraph piechart row stat state-timeline status-history table text timeseries traces trend
    xychart""".split()  # noqa: SIM905 -- a list of words
)
"""Types of panels that Grafana has without a plugin."""
_WITHOUT_QUERY = frozenset({"alertlist", "annolist", "canvas", "dashlist", "news", "row", "text"})
_BUILT_IN = frozenset(
    """__all __all_variables __auto __dashboard __data __error __field __from __interval __interval_ms __name __org
    __range __range_ms __range_s __rate_interval __rate_interval_ms __series __to __url __url_time_range __user
    __value __values timeFilter""".split()  # noqa: SIM905 -- a list of words
)
"""Variables that Grafana itself sets."""
_USED = re.compile(r"\$\{(\w+)(?:[.:][^}]*)?\}|\$(\w+)|\[\[(\w+)(?::\w+)?\]\]")
_TIMES = {"__interval": "1m", "__rate_interval": "5m", "__range": "1h", "__auto": "1m"}
# What a variable may stand for outside of quotes: a time, a number, a name.
_STAND_INS = ("5m", "5", "x")
_LINK = re.compile(r"^/d/([A-Za-z0-9_-]+)")


def problems(dashboard: Json, variables: Mapping[str, str]) -> Iterator[str]:
    """One line for each problem; `variables`: name of each that the dashboard defines -> plugin of its data source."""
    panels = [*_panels(dashboard.get("panels"), "panels")]
    if not any(panel.get("type") != "row" for _, panel in panels):
        yield "panels: none; allowed: at least one panel"
    seen: dict[object, str] = {}
    for path, panel in panels:
        number, kind = panel.get("id"), panel.get("type")
        if not isinstance(number, int | None):
            yield f"{path}.id: {number!r}; allowed: a whole number"
        elif number is not None and seen.setdefault(number, path) != path:
            yield f"{path}.id: {number!r} is taken by {seen[number]}; allowed: once"
        if "libraryPanel" in panel:
            continue
        if not isinstance(kind, str):
            yield f"{path}.type: {kind!r}; allowed: a text, such as timeseries"
            continue
        if kind not in _PLUGINS and "-panel" not in kind:
            yield f"{path}.type: {kind!r} is no type of Grafana's own panels; {closest(kind, tuple(_PLUGINS))}"
        yield from _queries(path, panel, variables)


def links(dashboard: Json) -> Iterator[tuple[str, str]]:
    """Path and uid of each link to a dashboard."""
    for path, text in _texts(dashboard, ""):
        if path.rpartition(".")[2] == "url" and (found := _LINK.match(text)):
            yield path, found[1]


def _panels(items: object, path: str) -> Iterator[tuple[str, Json]]:
    for index, item in enumerate(cast(list[Any], items) if isinstance(items, list) else []):
        if isinstance(item, dict):
            panel = cast(dict[str, Any], item)
            yield f"{path}[{index}]", panel
            yield from _panels(panel.get("panels"), f"{path}[{index}].panels")


def _queries(path: str, panel: Json, variables: Mapping[str, str]) -> Iterator[str]:
    targets = panel.get("targets")
    found = cast(list[Any], targets) if isinstance(targets, list) else []
    if not found and panel.get("type") not in _WITHOUT_QUERY:
        yield f"{path}.targets: no query; allowed: at least one"
    for index, item in enumerate(found):
        where = f"{path}.targets[{index}]"
        if not isinstance(item, dict):
            yield f"{where}: must be an object"
            continue
        target = cast(dict[str, Any], item)
        plugin = _plugin(target.get("datasource") or panel.get("datasource"), variables)
        if plugin not in ("prometheus", "loki"):
            continue
        expression = target.get("expr")
        if not isinstance(expression, str) or not expression.strip():
            yield f"{where}.expr: no query; allowed: a text that {plugin} can evaluate"
        elif unknown := [name for name in _names(expression) if name not in variables and name not in _BUILT_IN]:
            known = (*variables, *_BUILT_IN)
            yield from (f"{where}.expr: no variable ${name}; {closest(name, known)}" for name in unknown)
        elif plugin == "prometheus" and (wrong := promql_problem(expression)):
            yield f"{where}.expr: {expression!r} is not valid PromQL: {wrong}"


def _plugin(source: object, variables: Mapping[str, str]) -> str:
    """Type of a data source, from the reference or from the variable or uid that it names."""
    named = cast(dict[str, Any], source) if isinstance(source, dict) else {"uid": source}
    uid = str(named.get("uid") or "")
    used = _USED.fullmatch(uid)
    return str(named.get("type") or (variables.get(next(filter(None, used.groups())), "") if used else uid))


def _names(text: str) -> list[str]:
    """Variables in a text, each once; `$1` is a group of a regular expression."""
    names = (next(filter(None, found.groups())) for found in _USED.finditer(text))
    return [name for name in dict.fromkeys(names) if not name.isdigit()]


def promql_problem(expression: str) -> str | None:
    """Why no values of its variables make an expression valid; None if some do."""
    names = [name for name in _names(expression) if name not in _TIMES]
    first: str | None = None
    # Every variable gets the same stand-in, and then, if that fails, the few expressions with two get all pairs.
    choices = [dict.fromkeys(names, text) for text in _STAND_INS]
    choices += [dict(zip(names, texts, strict=True)) for texts in product(_STAND_INS, repeat=len(names))][:243]
    for chosen in choices:
        found = expressions.syntax_problem(_filled(expression, {**chosen, **_TIMES}))
        if found is None:
            return None
        first = first or found
    return first


def _filled(expression: str, values: Mapping[str, str]) -> str:
    return _USED.sub(lambda found: values.get(_name(found), "x"), expression)


def _name(found: re.Match[str]) -> str:
    return next(filter(None, found.groups()))


def _texts(value: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in cast(dict[str, Any], value).items():
            yield from _texts(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, item in enumerate(cast(list[Any], value)):
            yield from _texts(item, f"{path}[{index}]")
    elif isinstance(value, str):
        yield path, value
