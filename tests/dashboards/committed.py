"""Reads the committed dashboards for the tests."""

import json
from typing import Any

from dashboards.files import FOLDER
from ops.queries.grafana_interpolation import Chosen, Language, Window, builtins, replaced
from ops.queries.grafana_variables import read

Json = dict[str, Any]
OWN = builtins(Window(start=0, end=3600), scrape_interval=15, interval=15)
"""Grafana's own variables."""


def committed(stem: str) -> Json:
    """The dashboard in `dashboards/<stem>.json`."""
    return json.loads((FOLDER / f"{stem}.json").read_text())


def panels(dashboard: Json) -> list[Json]:
    """All panels but the headings of rows; those of closed rows, too."""
    found = [one for panel in dashboard["panels"] for one in (panel, *panel.get("panels", []))]
    return [panel for panel in found if panel["type"] != "row"]


def queries(dashboard: Json) -> list[tuple[Json, Json]]:
    """Every query with its panel."""
    return [(panel, target) for panel in panels(dashboard) for target in panel.get("targets", [])]


def filled_in(dashboard: Json, expression: str, language: Language = "prometheus") -> str:
    """A query with a value for each of its variables."""
    chosen = {one.name: Chosen(values=("x",), many=one.multi, all_value=one.all_value) for one in read(dashboard)}
    return replaced(expression, chosen, OWN, language)
