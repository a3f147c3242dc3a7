"""Reads the committed dashboards for the tests."""

import json
from typing import Any

from dashboards.files import FOLDER

Json = dict[str, Any]


def committed(stem: str) -> Json:
    """The dashboard in `dashboards/<stem>.json`."""
    return json.loads((FOLDER / f"{stem}.json").read_text())


def panels(dashboard: Json) -> list[Json]:
    """All panels but the headings of rows."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def queries(dashboard: Json) -> list[tuple[Json, Json]]:
    """Every query with its panel."""
    return [(panel, target) for panel in panels(dashboard) for target in panel.get("targets", [])]
