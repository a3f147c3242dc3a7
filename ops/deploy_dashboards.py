"""`deploy-dashboards`: the committed dashboards into a Grafana over its API, without a run of Pulumi.

What is there already as it should be is not written, so an interrupted run is simply repeated.
"""

import difflib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from rich.console import Console

from dashboards import files
from dashboards.files import DashboardsError
from ops.clients.grafana_api import Folder, Grafana, GrafanaError
from ops.drills.fire_alerts import INTERRUPTED, terminal
from ops.environment import LOCAL, load
from ops.errors import OpsError, UsageError
from settings.apps import DATA_SOURCES

# Grafana's own: other numbers say nothing about the dashboard.
_OWN = ("id", "version")


Uids = Annotated[list[str] | None, typer.Option("--dashboard", help="Only this dashboard (uid); may be repeated.")]
Stack = Annotated[str, typer.Option("--environment", help="Stack whose runbooks the dashboards link to.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would change as a diff, and change nothing.")]
Runbooks = Annotated[str | None, typer.Option(help="Where runbooks are read, instead of the stack's runbookBaseUrl.")]


class Change(StrEnum):
    """What happens to one dashboard."""

    CREATED = "created"
    UPDATED = "updated"
    MOVED = "moved"
    UNCHANGED = "unchanged"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """One committed dashboard, as this Grafana should have it."""

    uid: str
    folder: Folder
    document: dict[str, Any]


def deploy_dashboards(
    *,
    dashboard: Uids = None,
    environment: Stack = LOCAL,
    dry_run: DryRun = False,
    runbook_base_url: Runbooks = None,
) -> None:
    """Write the committed dashboards to the Grafana at GRAFANA_URL, by the token in GRAFANA_API_TOKEN.

    Exit code: 0 all are there, 1 something is not (with Grafana's own words), 2 bad usage.
    """
    url, token = _variable("GRAFANA_URL"), _variable("GRAFANA_API_TOKEN")
    runbooks = runbook_base_url or load(environment).values.get("runbookBaseUrl")
    if not runbooks:
        raise UsageError(f"Pulumi.{environment}.yaml has no observability:runbookBaseUrl; give --runbook-base-url")
    wanted = read(str(runbooks), dashboard or [])
    grafana = Grafana(url.rstrip("/"), token)
    raise typer.Exit(deploy(terminal(), grafana, wanted, dry_run=dry_run))


def read(runbook_base_url: str, uids: Sequence[str] = (), folder: Path = files.FOLDER) -> list[Dashboard]:
    """The committed dashboards, or those with these uids. Raises UsageError for an unknown uid, else OpsError."""
    try:
        found = files.load(DATA_SOURCES, folder)
    except DashboardsError as error:
        raise OpsError(str(error)) from error
    if unknown := set(uids) - {one.uid for one in found}:
        known = ", ".join(one.uid for one in found)
        raise UsageError(f"no dashboard {', '.join(sorted(unknown))}; there are: {known}")
    return [
        Dashboard(
            uid=one.uid,
            folder=Folder(one.system, one.folder),
            document=json.loads(one.for_stack(runbook_base_url=runbook_base_url)),
        )
        for one in found
        if not uids or one.uid in uids
    ]


def deploy(console: Console, grafana: Grafana, wanted: Sequence[Dashboard], *, dry_run: bool = False) -> int:
    """Bring the dashboards to Grafana and print what happens; the exit code."""
    sources, folders = grafana.data_sources(), grafana.folders()
    missing = False
    for one in wanted:
        for uid in sorted(_sources(one.document) - sources.keys()):
            missing = True
            console.print(
                f"{one.uid}: this Grafana has no data source with uid {uid!r}; there are: "
                f"{', '.join(sorted(sources)) or 'none'}",
                soft_wrap=True,
                markup=False,
            )
    counts = dict.fromkeys(Change, 0)
    try:
        for number, one in enumerate(wanted, start=1):
            try:
                change, text = _bring(grafana, folders, one, dry_run=dry_run)
            except GrafanaError as error:
                change, text = Change.FAILED, str(error)
            counts[change] += 1
            would = "would be " if dry_run and change not in (Change.UNCHANGED, Change.FAILED) else ""
            console.print(f"{number}/{len(wanted)} {one.uid}: {would}{change}", highlight=False)
            if text:
                console.print(text, soft_wrap=True, markup=False, highlight=False)
    except KeyboardInterrupt:
        console.print("Interrupted; run it again to go on.")
        return INTERRUPTED
    told = ", ".join(f"{count} {change.value}" for change, count in counts.items() if count)
    console.print(f"{'Nothing was changed; it would be: ' if dry_run else ''}{told or 'no dashboards'}.")
    return 1 if missing or counts[Change.FAILED] else 0


def _bring(grafana: Grafana, folders: dict[str, Folder], wanted: Dashboard, *, dry_run: bool) -> tuple[Change, str]:
    """What happens to one dashboard, and in a dry run its difference. Raises GrafanaError."""
    present = folders.get(wanted.folder.uid)
    there = grafana.dashboard(wanted.uid)
    before, place = there or ({}, "")
    same, here = _comparable(before) == _comparable(wanted.document), place == wanted.folder.uid
    if there is None:
        change = Change.CREATED
    elif not same:
        change = Change.UPDATED
    else:
        change = Change.UNCHANGED if here else Change.MOVED
    if dry_run:
        moved = "" if here or there is None else f"folder: {place or 'General'} -> {wanted.folder.uid}\n"
        return change, (moved + "".join(_difference(before, wanted))).rstrip()
    if present is None:
        grafana.create_folder(wanted.folder)
    elif present.title != wanted.folder.title:
        grafana.rename_folder(wanted.folder)
    folders[wanted.folder.uid] = wanted.folder
    if change is not Change.UNCHANGED:
        grafana.write_dashboard(wanted.document, wanted.folder.uid)
    return change, ""


def _difference(before: Mapping[str, Any], wanted: Dashboard) -> Iterator[str]:
    old, new = (_comparable(document).splitlines(keepends=True) for document in (before, wanted.document))
    yield from difflib.unified_diff(
        old if before else [], new, f"Grafana/{wanted.uid}", f"dashboards/{wanted.uid}", n=2
    )


def _comparable(document: Mapping[str, Any]) -> str:
    own = {key: value for key, value in document.items() if key not in _OWN}
    return json.dumps(own, indent=2, sort_keys=True) + "\n"


def _sources(value: object) -> set[str]:
    """uids of the data sources that are named anywhere, but those that a variable chooses."""
    found: set[str] = set()
    if isinstance(value, dict):
        items = cast(dict[str, Any], value)
        source = items.get("datasource")
        named = cast(dict[str, Any], source).get("uid") if isinstance(source, dict) else source
        if items.get("type") == "datasource" and "query" in items and isinstance(items.get("current"), dict):
            named = cast(dict[str, Any], items["current"]).get("value")
        if isinstance(named, str) and "$" not in named and named not in (*files.BUILT_IN, "default", ""):
            found.add(named)
        for item in items.values():
            found |= _sources(item)
    elif isinstance(value, list):
        for item in cast(list[Any], value):
            found |= _sources(item)
    return found


def _variable(name: str) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        what = (
            "the address, such as https://grafana.example.com" if name == "GRAFANA_URL" else "a service account's token"
        )
        raise UsageError(f"{name} is not set; it must hold {what}")
    return value
