"""The committed dashboards, checked: `dashboards/*.json`. Pure; a wrong file is refused before anything changes."""

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pulumi

FOLDER = Path(__file__).resolve().parent.parent / "dashboards"
SYSTEMS = {
    "platform": "Platform",
    "job-queue": "Job Queue",
    "api": "API",
    "speccursor": "SpecCursor",
    "media": "Media",
}
"""System -> title of its folder in Grafana; the folder's uid is the system."""

_UID = re.compile(r"[A-Za-z0-9_-]{1,40}")  # Grafana's own limit
_VARIABLE = re.compile(r"\$\{?(\w+)(?::\w+)?\}?")
# Sources that are part of Grafana: expressions, mixed panels, other panels' results, test data.
_BUILT_IN = {"grafana", "__expr__", "-- Grafana --", "-- Mixed --", "-- Dashboard --"}


class DashboardsError(pulumi.RunError):
    """Dashboards that cannot be used. `problems` has one line per problem, each with its file."""

    def __init__(self, problems: Collection[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("wrong dashboards; nothing was changed.\n" + "\n".join(f"  {text}" for text in self.problems))


RUNBOOKS = "runbooks"
"""Constant of a dashboard: the address under which the stack's runbooks are read."""


@dataclass(frozen=True, kw_only=True)
class DashboardFile:
    """One dashboard."""

    uid: str
    title: str
    system: str
    """One of SYSTEMS."""
    text: str
    """Its JSON, as committed."""

    def for_stack(self, *, runbook_base_url: str) -> str:
        """Its JSON with links that lead to this stack's runbooks."""
        document = json.loads(self.text)
        address = runbook_base_url.rstrip("/")
        for variable in _variables(document):
            if variable.get("name") == RUNBOOKS:
                variable |= {"query": address, "current": {"text": address, "value": address}}
        return json.dumps(document, indent=2, sort_keys=True)


def load(data_sources: Collection[str], folder: Path = FOLDER) -> tuple[DashboardFile, ...]:
    """Every dashboard in `folder`, by file name. Raises DashboardsError with every problem found.

    A dashboard's system is the one of its tags that is in SYSTEMS. Its data sources are uids of `data_sources`, or
    variables that it defines itself.
    """
    problems: list[str] = []
    found: list[DashboardFile] = []
    owners: dict[str, str] = {}
    for file in sorted(folder.glob("*.json")):
        where, text = f"dashboards/{file.name}", file.read_text(encoding="utf-8")
        try:
            document: Any = json.loads(text)
        except ValueError as error:
            problems.append(f"{where}: no valid JSON: {error}")
            continue
        if not isinstance(document, dict):
            problems.append(f"{where}: must be one JSON object")
            continue
        dashboard = cast(dict[str, Any], document)
        wrong = [*_identity_problems(dashboard), *_source_problems(dashboard, data_sources)]
        uid = str(dashboard.get("uid"))
        if uid in owners:
            wrong.append(f"uid: {uid!r} is taken by {owners[uid]}; every dashboard needs its own")
        owners.setdefault(uid, where)
        problems += [f"{where}: {problem}" for problem in wrong]
        if not wrong:
            found.append(DashboardFile(uid=uid, title=dashboard["title"], system=_systems(dashboard)[0], text=text))
    if problems:
        raise DashboardsError(problems)
    return tuple(found)


def _systems(dashboard: dict[str, Any]) -> list[str]:
    tags = dashboard.get("tags")
    return [tag for tag in cast(list[Any], tags) if tag in SYSTEMS] if isinstance(tags, list) else []


def _identity_problems(dashboard: dict[str, Any]) -> Iterator[str]:
    uid, title = dashboard.get("uid"), dashboard.get("title")
    if not isinstance(uid, str) or not _UID.fullmatch(uid):
        shown = "missing" if uid is None else f"{json.dumps(uid)} is not allowed"
        yield f"uid: {shown}; allowed: 1 to 40 letters, digits, `-` and `_`"
    if not isinstance(title, str) or not title.strip():
        yield "title: missing; allowed: any text"
    if len(_systems(dashboard)) != 1:
        yield f"tags: {json.dumps(dashboard.get('tags'))} must name exactly one system; allowed: {', '.join(SYSTEMS)}"
    if "__inputs" in dashboard:
        yield "__inputs: an export for sharing, whose data sources are placeholders; save the dashboard's own JSON"


def _source_problems(dashboard: dict[str, Any], data_sources: Collection[str]) -> Iterator[str]:
    allowed = f"allowed: {', '.join(data_sources)}, or a variable that the dashboard defines"
    variables = {str(item.get("name")) for item in _variables(dashboard)}
    named = [*_references(dashboard, ""), *_chosen(dashboard)]
    for path, uid in dict.fromkeys(named):
        variable = _VARIABLE.fullmatch(uid)
        if variable and variable[1] not in variables:
            yield f"{path}: no variable {uid}; {allowed}"
        elif not variable and uid not in data_sources and uid not in _BUILT_IN:
            yield f"{path}: no data source {uid!r}; {allowed}"


def _variables(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    templating = dashboard.get("templating")
    items: Any = cast(dict[str, Any], templating).get("list") if isinstance(templating, dict) else None
    return cast(list[dict[str, Any]], items) if isinstance(items, list) else []


def _chosen(dashboard: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The sources that data source variables start with."""
    for item in _variables(dashboard):
        current = item.get("current")
        value: Any = cast(dict[str, Any], current).get("value") if isinstance(current, dict) else None
        if item.get("type") == "datasource" and isinstance(value, str) and value not in ("", "default"):
            yield f"templating.{item.get('name')}.current", value


def _references(value: object, path: str) -> Iterator[tuple[str, str]]:
    """Path and uid of every data source that is named anywhere."""
    if isinstance(value, dict):
        for key, item in cast(dict[str, Any], value).items():
            inner = f"{path}.{key}" if path else key
            if key == "datasource" and isinstance(item, str):
                yield inner, item
            elif key == "datasource" and isinstance(item, dict) and "uid" in item:
                yield f"{inner}.uid", str(cast(dict[str, Any], item)["uid"])
            else:
                yield from _references(item, inner)
    elif isinstance(value, list):
        for index, item in enumerate(cast(list[Any], value)):
            yield from _references(item, f"{path}[{index}]")
