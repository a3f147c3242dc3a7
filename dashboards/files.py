"""Loads dashboards/rendered/*.json, for every caller. Rejects an invalid file before anything is changed."""

import functools
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from alerting import systems as system_files
from alerting.files import RULES, read_text, strays
from alerting.problems import RulesError, closest
from dashboards import panel_checks

FOLDER = Path(__file__).resolve().parent / "rendered"
LISTED = "observability"
"""Tag of the dashboards in the link list that every dashboard has."""

_UID = re.compile(r"[A-Za-z0-9_-]{1,40}")  # Grafana's own limit
_VARIABLE = re.compile(r"\$\{?(\w+)(?::\w+)?\}?")
# Data sources that are built into Grafana: expressions, mixed panels, other panels' results, test data.
BUILT_IN = {"grafana", "__expr__", "-- Grafana --", "-- Mixed --", "-- Dashboard --"}


class DashboardsError(ValueError):
    """Dashboards are invalid. `problems` has one line per problem, each with its file."""

    def __init__(self, problems: Collection[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("wrong dashboards; nothing was changed.\n" + "\n".join(f"  {text}" for text in self.problems))


RUNBOOKS = "runbooks"
"""Name of the dashboard variable with the base URL of the stack's runbooks."""


@dataclass(frozen=True, kw_only=True)
class DashboardFile:
    """One dashboard."""

    uid: str
    title: str
    system: str
    """Name of an observed system; also the uid of the Grafana folder."""
    folder: str
    """Title of the Grafana folder."""
    file: str
    """Path of the file, for messages."""
    text: str
    """JSON as committed."""
    tags: tuple[str, ...] = ()

    def for_stack(self, *, runbook_base_url: str) -> str:
        """JSON whose links lead to this stack's runbooks, without blanks: the engine writes its state at each step."""
        document = json.loads(self.text)
        address = runbook_base_url.rstrip("/")
        for variable in _variables(document):
            if variable.get("name") == RUNBOOKS:
                variable |= {"query": address, "current": {"text": address, "value": address}}
        return json.dumps(document, separators=(",", ":"), sort_keys=True)


def load(
    data_sources: Collection[str], folder: Path = FOLDER, titles: Mapping[str, str] | None = None
) -> tuple[DashboardFile, ...]:
    """Every dashboard in `folder`, by file name. Raises DashboardsError with every problem found.

    Exactly one tag of a dashboard must name its system, from `titles`: system -> title of its folder (default: those in
    rules/systems). Its data sources must be uids in `data_sources` or variables that it defines itself.
    """
    known = system_files.titles(RULES) if titles is None else titles
    problems = list(strays(folder, "dashboards/rendered", ".json"))
    found: list[DashboardFile] = []
    owners: dict[str, str] = {}
    links: list[tuple[str, str, str]] = []
    for file in sorted(folder.glob("*.json")):
        where = f"dashboards/rendered/{file.name}"
        try:
            text = read_text(file, where)
            read = _read(text, tuple(known), tuple(data_sources))
        except RulesError as error:
            problems += error.problems
            continue
        except (RecursionError, ValueError) as error:
            problems.append(f"{where}: not valid JSON: {error}")
            continue
        if read is None:
            problems.append(f"{where}: must be one JSON object")
            continue
        dashboard, wrong = read.dashboard, [*read.problems]
        uid = str(dashboard.get("uid"))
        if uid in owners:
            wrong.append(f"uid: {uid!r} is taken by {owners[uid]}; every dashboard needs its own")
        owners.setdefault(uid, where)
        links += ((where, path, linked) for path, linked in read.links)
        problems += [f"{where}: {problem}" for problem in wrong]
        if not wrong:
            (system,) = _systems(dashboard, known)
            item = DashboardFile(
                uid=uid,
                title=dashboard["title"],
                system=system,
                folder=known[system],
                file=where,
                text=text,
                tags=_tags(dashboard),
            )
            found.append(item)
    problems += (
        f"{where}: {path}: no dashboard {uid!r}; {closest(uid, tuple(owners))}"
        for where, path, uid in links
        if uid not in owners
    )
    if problems:
        raise DashboardsError(problems)
    return tuple(found)


@dataclass(frozen=True, kw_only=True)
class _Read:
    """What one file says, whatever the other files say."""

    dashboard: dict[str, Any]
    problems: tuple[str, ...]
    links: tuple[tuple[str, str], ...]
    """Path and uid of each link to a dashboard."""


# A process that reads several stacks reads the same dashboards for each of them.
@functools.lru_cache(maxsize=256)
def _read(text: str, systems: tuple[str, ...], data_sources: tuple[str, ...]) -> _Read | None:
    """One dashboard; None if the text is no JSON object. Raises ValueError or RecursionError if it is no JSON."""
    document: Any = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    if not isinstance(document, dict):
        return None
    dashboard = cast(dict[str, Any], document)
    return _Read(
        dashboard=dashboard,
        problems=(
            *_identity_problems(dashboard, systems),
            *_source_problems(dashboard, data_sources),
            *panel_checks.problems(dashboard, _plugins(dashboard)),
        ),
        links=tuple(panel_checks.links(dashboard)),
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"key {next(key for key in keys if keys.count(key) > 1)!r} appears twice")
    return document


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def missing(dashboards: Sequence[DashboardFile], linked: Mapping[str, str]) -> Iterator[str]:
    """Alerts whose dashboard does not exist, one line each. `linked` is alert -> path, such as /d/platform-overview."""
    paths = tuple(f"/d/{dashboard.uid}" for dashboard in dashboards)
    for alert, path in linked.items():
        if path not in paths:
            yield f"alert {alert}: dashboard_url: {path} is not in dashboards/rendered; {closest(path, paths)}"


def unreachable(dashboards: Sequence[DashboardFile], linked: Mapping[str, str]) -> Iterator[str]:
    """Dashboards that are in no list and that no alert or other dashboard links to, one line each."""
    for dashboard in dashboards:
        uid = dashboard.uid
        link = re.compile(rf"/d/{re.escape(uid)}(?![A-Za-z0-9_-])")
        others = [other.text for other in dashboards if other is not dashboard]
        if LISTED not in dashboard.tags and not any(link.search(text) for text in (*linked.values(), *others)):
            yield (
                f"{dashboard.file}: tags: {json.dumps(dashboard.tags)}: nobody can reach {uid}; allowed: the tag "
                f"{LISTED!r}, or a link to /d/{uid} in an alert or another dashboard"
            )


def _tags(dashboard: dict[str, Any]) -> tuple[str, ...]:
    tags = dashboard.get("tags")
    return tuple(str(tag) for tag in cast(list[Any], tags)) if isinstance(tags, list) else ()


def _systems(dashboard: dict[str, Any], systems: Collection[str]) -> list[str]:
    return [tag for tag in _tags(dashboard) if tag in systems]


def _identity_problems(dashboard: dict[str, Any], systems: Collection[str]) -> Iterator[str]:
    uid, title = dashboard.get("uid"), dashboard.get("title")
    if not isinstance(uid, str) or not _UID.fullmatch(uid):
        shown = "missing" if uid is None else f"{json.dumps(uid)} is not allowed"
        yield f"uid: {shown}; allowed: 1 to 40 letters, digits, `-` and `_`"
    if not isinstance(title, str) or not title.strip():
        yield "title: missing; allowed: any text"
    if len(_systems(dashboard, systems)) != 1:
        yield f"tags: {json.dumps(dashboard.get('tags'))} must name exactly one system; allowed: {', '.join(systems)}"
    if "__inputs" in dashboard:
        yield "__inputs: an export for sharing, with placeholders for data sources; save the dashboard's own JSON"


def _source_problems(dashboard: dict[str, Any], data_sources: Collection[str]) -> Iterator[str]:
    allowed = f"allowed: {', '.join(data_sources)}, or a variable that the dashboard defines"
    variables = {str(item.get("name")) for item in _variables(dashboard)}
    named = [*_references(dashboard, ""), *_preselected(dashboard)]
    for path, uid in dict.fromkeys(named):
        variable = _VARIABLE.fullmatch(uid)
        if variable and variable[1] not in variables:
            yield f"{path}: no variable {uid}; {allowed}"
        elif not variable and uid not in data_sources and uid not in BUILT_IN:
            yield f"{path}: no data source {uid!r}; {allowed}"


def _variables(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    templating = dashboard.get("templating")
    items: Any = cast(dict[str, Any], templating).get("list") if isinstance(templating, dict) else None
    found = cast(list[Any], items) if isinstance(items, list) else []
    return [cast(dict[str, Any], item) for item in found if isinstance(item, dict)]


def _plugins(dashboard: dict[str, Any]) -> dict[str, str]:
    """Variable -> plugin of the data source that it stands for; empty for variables of other kinds."""
    return {
        str(item.get("name")): str(item.get("query")) if item.get("type") == "datasource" else ""
        for item in _variables(dashboard)
    }


def _preselected(dashboard: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Path and uid of the initial selection of every data source variable."""
    for item in _variables(dashboard):
        current = item.get("current")
        value: Any = cast(dict[str, Any], current).get("value") if isinstance(current, dict) else None
        if item.get("type") == "datasource" and isinstance(value, str) and value not in ("", "default"):
            yield f"templating.{item.get('name')}.current", value


def _references(value: object, path: str) -> Iterator[tuple[str, str]]:
    """Path and uid of every reference to a data source."""
    if isinstance(value, dict):
        for key, item in cast(dict[str, Any], value).items():
            inner = f"{path}.{key}" if path else key
            if key == "datasource" and isinstance(item, str):
                yield inner, item
            elif key == "datasource" and isinstance(item, dict) and "uid" in item:
                yield f"{inner}.uid", str(cast(dict[str, Any], item)["uid"])
            elif isinstance(item, dict | list):
                yield from _references(item, inner)
    elif isinstance(value, list):
        for index, item in enumerate(cast(list[Any], value)):
            if isinstance(item, dict | list):
                yield from _references(item, f"{path}[{index}]")
