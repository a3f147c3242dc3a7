"""`deploy-dashboards`: uploads the committed dashboards to a Grafana through its API, without Pulumi.

Dashboards that are up to date are not written, so an interrupted run can simply be repeated.
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

# Grafana sets these two, so a difference in them is not a difference between dashboards.
_SET_BY_GRAFANA = ("id", "version")


Uids = Annotated[list[str] | None, typer.Option("--dashboard", help="Only this dashboard (uid); may be repeated.")]
Stack = Annotated[str, typer.Option("--environment", help="Stack whose runbooks the dashboards link to.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the changes as a diff without applying them.")]
Runbooks = Annotated[str | None, typer.Option(help="Base URL of the runbooks, instead of the stack's runbookBaseUrl.")]


class Change(StrEnum):
    """The result for one dashboard."""

    CREATED = "created"
    UPDATED = "updated"
    MOVED = "moved"
    UNCHANGED = "unchanged"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Dashboard:
    """One committed dashboard with its folder, in the form that is uploaded."""

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
    """Upload the committed dashboards to the Grafana at GRAFANA_URL with the token in GRAFANA_API_TOKEN.

    Exit code: 0 all dashboards are up to date, 1 a dashboard failed (with Grafana's message), 2 bad usage.
    """
    url, token = _variable("GRAFANA_URL"), _variable("GRAFANA_API_TOKEN")
    runbooks = runbook_base_url or load(environment).values.get("runbookBaseUrl")
    if not runbooks:
        raise UsageError(f"Pulumi.{environment}.yaml has no observability:runbookBaseUrl; give --runbook-base-url")
    wanted = read(str(runbooks), dashboard or [])
    grafana = Grafana(url.rstrip("/"), token)
    raise typer.Exit(deploy(terminal(), grafana, wanted, dry_run=dry_run))


def read(runbook_base_url: str, uids: Sequence[str] = (), folder: Path = files.FOLDER) -> list[Dashboard]:
    """The committed dashboards, or only those in `uids`.

    Raises UsageError for an unknown uid, OpsError for a dashboard that cannot be read.
    """
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
    """Upload the dashboards and print each result. Returns the exit code."""
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
                change, text = _upload(grafana, folders, one, dry_run=dry_run)
            except GrafanaError as error:
                change, text = Change.FAILED, str(error)
            counts[change] += 1
            would = "would be " if dry_run and change not in (Change.UNCHANGED, Change.FAILED) else ""
            console.print(f"{number}/{len(wanted)} {one.uid}: {would}{change}", highlight=False)
            if text:
                console.print(text, soft_wrap=True, markup=False, highlight=False)
    except KeyboardInterrupt:
        console.print("Interrupted; run the command again to continue.")
        return INTERRUPTED
    totals = ", ".join(f"{count} {change.value}" for change, count in counts.items() if count)
    console.print(f"{'Nothing was changed; it would be: ' if dry_run else ''}{totals or 'no dashboards'}.")
    return 1 if missing or counts[Change.FAILED] else 0


def _upload(grafana: Grafana, folders: dict[str, Folder], wanted: Dashboard, *, dry_run: bool) -> tuple[Change, str]:
    """The result for one dashboard, and in a dry run its diff. Raises GrafanaError."""
    current_folder = folders.get(wanted.folder.uid)
    current = grafana.dashboard(wanted.uid)
    before, folder_before = current or ({}, "")
    same_content = _comparable(before) == _comparable(wanted.document)
    same_folder = folder_before == wanted.folder.uid
    if current is None:
        change = Change.CREATED
    elif not same_content:
        change = Change.UPDATED
    else:
        change = Change.UNCHANGED if same_folder else Change.MOVED
    if dry_run:
        moved = (
            "" if same_folder or current is None else f"folder: {folder_before or 'General'} -> {wanted.folder.uid}\n"
        )
        return change, (moved + "".join(_difference(before, wanted))).rstrip()
    if current_folder is None:
        grafana.create_folder(wanted.folder)
    elif current_folder.title != wanted.folder.title:
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
    compared = {key: value for key, value in document.items() if key not in _SET_BY_GRAFANA}
    return json.dumps(compared, indent=2, sort_keys=True) + "\n"


def _sources(value: object) -> set[str]:
    """uids of all data sources in the document, except those that a variable selects."""
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
        raise UsageError(f"{name} is not set; it must contain {what}")
    return value
