"""Links of values: a cell of a table chooses its value in a variable, and a latency opens the lines of its time."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from dashboards.builder.links import explore_logs, kept

_LABEL = re.compile(r"label_values\(.*,\s*(\w+)\)", re.DOTALL)
# Label -> dashboard with a variable of that name, for tables that show objects of Kubernetes.
_OBJECTS = {"namespace": "kubernetes-namespace", "workload": "kubernetes-workload", "node": "kubernetes-node"}
_QUANTILE = "histogram_quantile("


def link(document: Mapping[str, Any], logs: str) -> None:
    """Adds the links to the panels of a dashboard's JSON; `logs` is the LogQL for its lines."""
    variables = {
        match[1]: str(one["name"])
        for one in document["templating"]["list"]
        if one["type"] == "query" and (match := _LABEL.fullmatch(_query(one)))
    }
    for row in document["panels"]:
        for panel in (row, *row.get("panels", ())):
            if panel["type"] == "table":
                _link_table(panel, str(document["uid"]), variables)
            elif any(_QUANTILE in target.get("expr", "") for target in panel.get("targets", ())):
                panel["fieldConfig"]["defaults"].setdefault(
                    "links", [{"title": "Log lines of this time", "url": explore_logs(logs)}]
                )


def _query(variable: Mapping[str, Any]) -> str:
    query = variable["query"]
    return str(query["query"] if isinstance(query, dict) else query)


def _link_table(panel: Mapping[str, Any], uid: str, variables: Mapping[str, str]) -> None:
    for label, title in _columns(panel):
        if label in variables:
            url = _address(uid, variables[label], [name for name in variables.values() if name != variables[label]])
            _override(panel, title, {"title": f"Only this {title.lower()}", "url": url})
        elif label in _OBJECTS and uid.startswith("kubernetes-"):
            url = _address(_OBJECTS[label], label, [name for name in ("namespace",) if name in variables])
            _override(panel, title, {"title": f"Open this {label}", "url": url})


def _address(uid: str, variable: str, others: Sequence[str]) -> str:
    """Opens a dashboard with the cell's value in a variable; time range and the other variables stay."""
    return f"{kept(f'/d/{uid}', others)}&var-{variable}=${{__value.raw:percentencode}}"


def _columns(panel: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Label and title of each column."""
    return [
        (label, title)
        for one in panel.get("transformations", ())
        if one["id"] == "organize"
        for label, title in one["options"].get("renameByName", {}).items()
    ]


def _override(panel: Mapping[str, Any], title: str, value: Mapping[str, str]) -> None:
    overrides: list[dict[str, Any]] = panel["fieldConfig"].setdefault("overrides", [])
    matcher = {"id": "byName", "options": title}
    own = next((one for one in overrides if one["matcher"] == matcher), None)
    found: dict[str, Any] = own or {"matcher": matcher, "properties": []}
    if own is None:
        overrides.append(found)
    found["properties"].append({"id": "links", "value": [value]})
