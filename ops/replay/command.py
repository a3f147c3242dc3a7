"""`replay`: shows who would have been notified by two commits over the same recorded time."""

import json
import re
from contextlib import ExitStack
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from alerting import durations
from alerting.files import ROOT
from local.paths import STATE
from ops import environment
from ops.clients.kube import service_url
from ops.drills.fire_alerts import terminal
from ops.errors import OpsError, UsageError
from ops.replay import comparison, deployed
from ops.replay.comparison import Comparison
from ops.replay.document import About, document
from ops.replay.episodes import SECOND
from ops.replay.history import History
from ops.replay.page import page
from ops.replay.replay import replay as replayed
from ops.replay.terminal import show
from ops.review import commits
from ops.review.commits import CHECKOUT

Base = Annotated[str, typer.Option(help="Commit, branch or tag that the stack runs.")]
Head = Annotated[str, typer.Option(help=f"Commit to compare with it; {CHECKOUT} for the files as they are.")]
Stack = Annotated[str, typer.Option("--stack", help="Stack, as in Pulumi.<stack>.yaml.")]
From = Annotated[str, typer.Option("--from", help="Start: a duration before the end, such as 30d, or a time in UTC.")]
Until = Annotated[str | None, typer.Option(help="End: a time in UTC, such as 2026-11-28T12:00; the default is now.")]
PrometheusUrl = Annotated[str | None, typer.Option("--prometheus", help="Prometheus to read, instead of the stack's.")]
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
    zone: Zone = "UTC",
    folder: Folder = STATE / "replay",
) -> None:
    """Compare who would have been notified, how often and when, by the rules and routes of two commits.

    Reads what Prometheus has recorded, and sends nothing. Exit code: 0 compared, 1 it cannot be compared, 2 bad usage.
    """
    hours = _zone(zone)
    with ExitStack() as forwards:
        url = prometheus
        if url is None:
            stack_now = environment.load(stack)
            url = forwards.enter_context(service_url(stack_now.cluster(), stack_now.services()["prometheus"]))
        found = compare(ROOT, base=base, head=head, stack=stack, start=start, until=until, url=url, zone=hours)
    report = document(About(stack=stack, zone=zone, prometheus=prometheus), found)
    console = terminal()
    show(console, report)
    for name, text in (("report.json", json.dumps(report, indent=2) + "\n"), ("report.html", page(found, report))):
        _write(folder / name, text)
        console.print(f"Written: {folder / name}", highlight=False, markup=False, soft_wrap=True)


def compare(  # noqa: PLR0913 -- what the options say
    root: Path, *, base: str, head: str, stack: str, start: str, until: str | None, url: str, zone: tzinfo
) -> Comparison:
    """Replays two commits of the repository `root`. Raises OpsError, UsageError."""
    with commits.files(root, base) as old, commits.files(root, head) as new:
        before, after = deployed.read(old, stack, name=base), deployed.read(new, stack, name=head)
    since, end = span(start, until, History(url).now())
    return comparison.compare(replayed(before, after, url, since=since, until=end), zone)


def span(start: str, until: str | None, now: int) -> tuple[int, int]:
    """Start and end of the time to compare, in milliseconds since 1970. Raises UsageError."""
    end = now if until is None else _time("--until", until)
    if end > now:
        raise UsageError(f"--until {until} is in the future; allowed: a time up to now")
    if re.fullmatch(r"[0-9]+(ms|[smhdwy])([0-9]+(ms|[smhdwy]))*", start):
        try:
            first = end - round(durations.seconds(start) * SECOND)
        except ValueError as error:
            raise UsageError(f"--from {start} is not allowed: {error}") from error
    else:
        first = _time("--from", start)
    if not 0 <= first < end:
        raise UsageError(f"--from {start} is not before the end; allowed: a duration above zero, or a time before it")
    return first, end


def _time(option: str, text: str) -> int:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"{option} {text} is not allowed; allowed: a time such as 2026-11-28T12:00"
            + (", or a duration such as 30d" if option == "--from" else "")
        ) from error
    return round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * SECOND)


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
