"""Resolves a dashboard's variables as Grafana does when it opens the dashboard: order, options, selection. Pure.

The caller passes `values_of`, which runs the query of a query variable. See ops.queries.query_sources.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from ops.queries.grafana_interpolation import Chosen, references

Json = Mapping[str, Any]
VariableType = Literal["query", "custom", "constant", "textbox", "interval", "datasource", "adhoc"]
_TYPES: tuple[VariableType, ...] = ("query", "custom", "constant", "textbox", "interval", "datasource", "adhoc")
ALL = "$__all"


class VariableError(ValueError):
    """A variable cannot be resolved; the message names it."""


@dataclass(frozen=True, kw_only=True)
class Variable:
    """A variable of a dashboard."""

    name: str
    kind: VariableType
    query: str
    """Depends on the type: label_values(…), `a,b,c`, a constant's value, a data source's plugin id."""
    datasource: str = ""
    """uid of the data source that it queries, which may itself be a variable."""
    regex: str = ""
    sort: int = 0
    multi: bool = False
    include_all: bool = False
    all_value: str | None = None
    current: tuple[str, ...] = ()

    @property
    def needs(self) -> set[str]:
        """Names of variables that must be resolved before this one."""
        return references(f"{self.query} {self.regex} {self.datasource}") - {self.name}


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """The query of a query variable, parsed from Grafana's notation for Prometheus and Loki."""

    kind: Literal["label_names", "label_values", "metrics", "query_result", "series"]
    argument: str = ""
    """A selector, an expression or a regular expression; may be empty for label_values."""
    label: str = ""


def read(dashboard: Json) -> list[Variable]:
    """The variables of a dashboard, in its order. Raises VariableError for an unknown type."""
    return [_read(item) for item in cast(Json, dashboard.get("templating") or {}).get("list") or []]


def in_order(variables: Sequence[Variable]) -> list[Variable]:
    """The variables, each after those that it needs. Raises VariableError for a cycle."""
    waiting = {one.name: one for one in variables}
    ordered: list[Variable] = []
    while waiting:
        ready = [one for one in waiting.values() if not one.needs & waiting.keys()]
        if not ready:
            raise VariableError(f"variables {', '.join(sorted(waiting))} need each other")
        ordered += ready
        for one in ready:
            del waiting[one.name]
    return ordered


def resolve(variable: Variable, values_of: Callable[[Variable], Sequence[str]]) -> Chosen:
    """The value that Grafana selects: the saved value if it is among the options, else All or the first option.

    Raises VariableError when there is nothing to select.
    """
    if variable.kind == "adhoc":
        return Chosen(values=("",))
    if variable.kind in ("constant", "textbox"):
        saved = variable.current[0] if variable.kind == "textbox" and variable.current else variable.query
        return Chosen(values=(saved,))
    options = _options(variable, values_of)
    many = variable.multi or variable.include_all
    picked = tuple(value for value in variable.current if value in options)
    wants_all = ALL in variable.current or not picked
    if variable.include_all and wants_all:
        if variable.all_value is not None:
            return Chosen(values=tuple(options), many=many, all_value=variable.all_value)
        if options:
            return Chosen(values=tuple(options), many=many)
    if not options:
        raise VariableError(f"variable {variable.name}: {variable.query!r} has no values")
    return Chosen(values=picked or (options[0],), many=many)


def lookup(query: str) -> Lookup:
    """Parses the text of a query variable."""
    text = query.strip()
    if re.fullmatch(r"label_names\(\)", text):
        return Lookup(kind="label_names")
    if match := re.fullmatch(r"label_values\((?:(.+),\s*)?([a-zA-Z_]\w*)\)", text, re.DOTALL):
        return Lookup(kind="label_values", argument=(match[1] or "").strip(), label=match[2])
    if match := re.fullmatch(r"metrics\((.+)\)", text, re.DOTALL):
        return Lookup(kind="metrics", argument=match[1])
    if match := re.fullmatch(r"query_result\((.+)\)", text, re.DOTALL):
        return Lookup(kind="query_result", argument=match[1])
    return Lookup(kind="series", argument=text)


def filtered(values: Sequence[str], regex: str) -> list[str]:
    """Applies the variable's regex to the options: keeps matches, cut to the group `value` or else the first group."""
    if not regex:
        return list(dict.fromkeys(values))
    match = re.fullmatch(r"/(.*)/([a-z]*)", regex, re.DOTALL)
    pattern, flags = (match[1], match[2]) if match else (f"^{regex}$", "")
    # JavaScript writes named groups as (?<name>…), Python as (?P<name>…).
    compiled = re.compile(re.sub(r"\(\?<(?![=!])", "(?P<", pattern), re.IGNORECASE if "i" in flags else 0)
    found: dict[str, None] = {}
    for value in values:
        hit = compiled.search(value)
        if hit is None:
            continue
        named = hit.groupdict().get("value") or hit.groupdict().get("text")
        found[named or (hit[1] if compiled.groups else value) or value] = None
    return list(found)


def in_sort_order(values: Sequence[str], sort: int) -> list[str]:
    """Options in one of Grafana's sort orders: 0 unsorted, 1/2 alphabetical, 3/4 numerical, 5/6 case-insensitive, 7/8
    natural; even numbers are descending."""
    if not 1 <= sort <= 8:
        return list(values)
    keys: list[Callable[[str], Any]] = [str, _number, str.lower, _natural]
    return sorted(values, key=keys[(sort - 1) // 2], reverse=sort % 2 == 0)


def _options(variable: Variable, values_of: Callable[[Variable], Sequence[str]]) -> list[str]:
    if variable.kind in ("custom", "interval"):
        # Options have the form `text : value`; a comma inside a value is written `\,`.
        parts = [part.replace("\\,", ",").strip() for part in re.split(r"(?<!\\),", variable.query)]
        return [part.split(" : ", 1)[-1].strip() for part in parts if part]
    return in_sort_order(filtered(values_of(variable), variable.regex), variable.sort)


def _read(item: Json) -> Variable:
    name, kind = str(item.get("name")), item.get("type")
    if kind not in _TYPES:
        raise VariableError(f"variable {name}: type {kind!r} is not known; there are: {', '.join(_TYPES)}")
    current = cast(Json, item.get("current") or {}).get("value")
    source = item.get("datasource")
    return Variable(
        name=name,
        kind=kind,
        query=_query_text(item.get("query")),
        datasource=str(cast(Json, source).get("uid", "")) if isinstance(source, dict) else str(source or ""),
        regex=str(item.get("regex") or ""),
        sort=int(item.get("sort") or 0),
        multi=bool(item.get("multi")),
        include_all=bool(item.get("includeAll")),
        all_value=str(item["allValue"]) if item.get("allValue") else None,
        current=_texts(current),
    )


def _query_text(query: object) -> str:
    """A query variable's text. Newer dashboards wrap it in an object; Loki's editor stores its parts separately."""
    if not isinstance(query, dict):
        return str(query or "")
    parts = cast(Json, query)
    if "query" in parts:
        return str(parts["query"])
    if parts.get("label"):
        stream = f"{parts['stream']}, " if parts.get("stream") else ""
        return f"label_values({stream}{parts['label']})"
    return "label_names()"


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(str(one) for one in cast(list[object], value))
    return () if value is None else (str(value),)


def _number(text: str) -> float:
    match = re.search(r"\d+(?:\.\d+)?", text)
    return float(match[0]) if match else -1.0


def _natural(text: str) -> list[tuple[int, int, str]]:
    return [(0, int(part), "") if part.isdigit() else (1, 0, part.lower()) for part in re.split(r"(\d+)", text) if part]
