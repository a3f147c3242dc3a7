"""The queries of the committed dashboards' panels, and the variables that these depend on. Pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from dashboards import files
from dashboards.files import DashboardsError
from ops.errors import OpsError
from ops.queries.grafana_variables import Variable, VariableError, read
from settings.apps import DATA_SOURCES

# Data sources inside Grafana itself, which have nothing to query.
_INTERNAL = (*files.BUILT_IN, "datasource")

Json = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class PanelQuery:
    """One query of one panel, variables not yet replaced."""

    panel: str
    ref: str
    source: str
    """Plugin id of the data source."""
    expression: str
    instant: bool = False
    interval: str = ""
    """Minimum step set in the panel or the query, in Grafana's notation (`1m`, `>10s`)."""


@dataclass(frozen=True, kw_only=True)
class DashboardQueries:
    """The queries and variables of one dashboard."""

    uid: str
    title: str
    variables: list[Variable] = field(default_factory=list[Variable])
    queries: list[PanelQuery] = field(default_factory=list[PanelQuery])


def load(folder: Path = files.FOLDER) -> list[DashboardQueries]:
    """All dashboards of a folder. Raises OpsError for an invalid file, or if there are none."""
    try:
        found = [parse(json.loads(one.text)) for one in files.load(DATA_SOURCES, folder)]
    except (DashboardsError, VariableError) as error:
        raise OpsError(str(error)) from error
    if not found:
        raise OpsError(f"no dashboards in {folder}")
    return found


def parse(dashboard: Json) -> DashboardQueries:
    """The queries of one dashboard, without the hidden ones, which Grafana does not run."""
    kinds = {one.name: one.query for one in read(dashboard) if one.kind == "datasource"}
    return DashboardQueries(
        uid=str(dashboard["uid"]),
        title=str(dashboard["title"]),
        variables=read(dashboard),
        queries=[query for panel in _panels(dashboard) for query in _queries(panel, kinds)],
    )


def _panels(holder: Json) -> Iterator[Json]:
    """Every panel, including those of a collapsed row."""
    for panel in cast(list[Json], holder.get("panels") or []):
        yield panel
        yield from _panels(panel)


def _queries(panel: Json, kinds: Mapping[str, str]) -> Iterator[PanelQuery]:
    for target in cast(list[Json], panel.get("targets") or []):
        source = _source(target, panel, kinds)
        if target.get("hide") or source in _INTERNAL:
            continue
        yield PanelQuery(
            panel=str(panel.get("title") or f"panel {panel.get('id')}"),
            ref=str(target.get("refId", "A")),
            source=source,
            expression=_expression(target, source),
            instant=_instant(target),
            interval=str(target.get("interval") or target.get("step") or panel.get("interval") or ""),
        )


def _source(target: Json, panel: Json, kinds: Mapping[str, str]) -> str:
    """Plugin id of the query's data source: the type beside the uid, or the type of the referenced variable."""
    for holder in (target, panel):
        named = holder.get("datasource")
        if isinstance(named, dict) and cast(Json, named).get("type"):
            return str(cast(Json, named)["type"])
        if isinstance(named, str):
            return kinds.get(named.strip("${}"), named)
    raise ValueError(f"panel {panel.get('title')!r} names no data source")


def _instant(target: Json) -> bool:
    if target.get("queryType"):
        return target["queryType"] == "instant"
    return bool(target.get("instant")) and not target.get("range")


def _expression(target: Json, source: str) -> str:
    if source != "jaeger":
        return str(target.get("expr") or "")
    if target.get("queryType") != "search":
        return str(target.get("query") or "")
    parts = {"service": target.get("service"), "operation": target.get("operation"), "tags": target.get("tags")}
    return "&".join(f"{name}={value}" for name, value in parts.items() if value)
