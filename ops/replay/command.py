"""`replay`: shows who would have been notified by two commits over the same recorded time."""

import json
from contextlib import ExitStack
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from alerting.files import ROOT
from local.paths import STATE
from ops.drills.fire_alerts import terminal
from ops.errors import OpsError, UsageError
from ops.replay import comparison, deployed
from ops.replay.comparison import Comparison
from ops.replay.document import About, document
from ops.replay.evaluation import Sources
from ops.replay.history import History, stretch
from ops.replay.incident_command import LokiUrl, PrometheusUrl, show_incident, sources
from ops.replay.page import page
from ops.replay.replay import replay as replayed
from ops.replay.suggestions import suggestions
from ops.replay.terminal import show
from ops.review import commits
from ops.review.commits import CHECKOUT

Base = Annotated[str, typer.Option(help="Commit, branch or tag that the stack runs.")]
Head = Annotated[str, typer.Option(help=f"Commit to compare with it; {CHECKOUT} for the files as they are.")]
Stack = Annotated[str, typer.Option("--stack", help="Stack, as in Pulumi.<stack>.yaml.")]
From = Annotated[str, typer.Option("--from", help="Start: a duration before the end, such as 30d, or a time in UTC.")]
Until = Annotated[str | None, typer.Option(help="End: a time in UTC, such as 2026-11-28T12:00; the default is now.")]
IncidentTimes = Annotated[
    tuple[str, str] | None,
    typer.Option("--incident", help="FROM TO: whom --head would have told of this time, instead of a comparison."),
]
Suggest = Annotated[bool, typer.Option(help="Replay variants of the noisiest alerts, too: what would save messages.")]
Zone = Annotated[str, typer.Option(help="Time zone of the hours, such as Europe/Berlin.")]
Folder = Annotated[Path, typer.Option(help="Folder for report.json and report.html.")]


def replay(  # noqa: PLR0913 -- each is an option
    *,
    base: Base = "origin/main",
    head: Head = CHECKOUT,
    stack: Stack = "staging",
    start: From = "30d",
    until: Until = None,
    prometheus: PrometheusUrl = None,
    loki: LokiUrl = None,
    incident: IncidentTimes = None,
    suggest: Suggest = False,
    zone: Zone = "UTC",
    folder: Folder = STATE / "replay",
) -> None:
    """Compare who would have been notified, how often and when, by the rules and routes of two commits.

    Reads what Prometheus and Loki have recorded, and sends nothing.
    Exit code: 0 compared, 1 it cannot be compared, 2 bad usage.
    """
    hours = _zone(zone)
    if incident:
        show_incident(incident, head=head, stack=stack, prometheus=prometheus, loki=loki, folder=folder)
        return
    with ExitStack() as forwards:
        where = sources(forwards, stack, prometheus, loki)
        found = compare(ROOT, base=base, head=head, stack=stack, start=start, until=until, sources=where, zone=hours)
        better = suggestions(found.replay, where) if suggest else []
    report = document(About(stack=stack, zone=zone, prometheus=prometheus), found, better)
    console = terminal()
    show(console, report)
    for name, text in (("report.json", json.dumps(report, indent=2) + "\n"), ("report.html", page(found, report))):
        _write(folder / name, text)
        console.print(f"Written: {folder / name}", highlight=False, markup=False, soft_wrap=True)


def compare(  # noqa: PLR0913 -- what the options say
    root: Path, *, base: str, head: str, stack: str, start: str, until: str | None, sources: Sources, zone: tzinfo
) -> Comparison:
    """Replays two commits of the repository `root`. Raises OpsError, UsageError."""
    with commits.files(root, base) as old, commits.files(root, head) as new:
        return compare_files(
            old, new, names=(base, head), stack=stack, start=start, until=until, sources=sources, zone=zone
        )


def compare_files(  # noqa: PLR0913 -- what the options say
    old: Path,
    new: Path,
    *,
    names: tuple[str, str],
    stack: str,
    start: str,
    sources: Sources,
    until: str | None = None,
    zone: tzinfo = UTC,
) -> Comparison:
    """Replays two checkouts, which errors call by their `names`. Raises OpsError, UsageError."""
    before, after = (deployed.read(folder, stack, name=name) for folder, name in zip((old, new), names, strict=True))
    when = stretch(start, until, History(sources.prometheus).now())
    return comparison.compare(replayed(before, after, sources, since=when.since, until=when.until), zone)


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UsageError(
            f"--zone {name} is not a time zone here; allowed: UTC, or a name such as Europe/Berlin"
        ) from error


def _write(file: Path, text: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OpsError(f"{file} cannot be written: {error.strerror}") from error
