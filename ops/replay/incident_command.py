"""`replay --incident` and `capture`: a stretch of time under today's rules, now and as a test for later."""

import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from alerting import durations
from alerting.files import ROOT
from local.paths import STATE
from ops import environment
from ops.clients.kube import service_url
from ops.drills.fire_alerts import terminal
from ops.errors import UsageError
from ops.replay import capsule, deployed, incident
from ops.replay.document import text
from ops.replay.episodes import SECOND
from ops.replay.evaluation import Sources
from ops.replay.history import History, stretch
from ops.replay.incident import Incident
from ops.review import commits
from ops.review.commits import CHECKOUT
from settings.apps import LOKI, PROMETHEUS

PrometheusUrl = Annotated[str | None, typer.Option("--prometheus", help="Prometheus to read, instead of the stack's.")]
LokiUrl = Annotated[str | None, typer.Option("--loki", help="Loki to read, instead of the stack's.")]
_BEFORE = "1h"


def capture(  # noqa: PLR0913 -- each is an option
    *,
    stack: Annotated[str, typer.Option("--stack", help="Stack, as in Pulumi.<stack>.yaml.")] = "staging",
    start: Annotated[str, typer.Option("--from", help="Start: a time in UTC, or a duration before the end.")] = "1h",
    until: Annotated[str | None, typer.Option(help="End: a time in UTC; the default is now.")] = None,
    before: Annotated[str, typer.Option(help="Data from this much earlier, for windows of rules.")] = _BEFORE,
    prometheus: PrometheusUrl = None,
    loki: LokiUrl = None,
    file: Annotated[Path, typer.Option(help="File to write.")] = STATE / "captured.json.gz",
) -> None:
    """Write what the rules read of a stretch of time into one file, without secrets and addresses.

    A test replays it: tests/incidents. Exit code: 0 written, 1 it cannot be read or is too large, 2 bad usage.
    """
    with ExitStack() as forwards:
        where = sources(forwards, stack, prometheus, loki)
        when = stretch(start, until, History(where.prometheus).now())
        commit = deployed.read(ROOT, stack, name=CHECKOUT)
        found = capsule.capture(commit, where, since=when.since, until=when.until, before=_milliseconds(before))
    size = capsule.write(found, file)
    print(
        f"Written: {file}, {size / 1e6:.2f} MB, {found.samples.count(chr(10)) - 1} samples, {len(found.lines)} lines. "
        "Read it before you commit it: it has no secret and no address of the usual forms, but log lines hold any text."
    )


def show_incident(
    times: tuple[str, str], *, head: str, stack: str, prometheus: str | None, loki: str | None, folder: Path
) -> None:
    """Prints whom the rules and routes of `head` would have told of the time, and writes incident.json."""
    with ExitStack() as forwards:
        where = sources(forwards, stack, prometheus, loki)
        when = stretch(*times, History(where.prometheus).now())
        with commits.files(ROOT, head) as files:
            commit = deployed.read(files, stack, name=head)
        found = incident.replay(commit, where, since=when.since, until=when.until, before=_milliseconds(_BEFORE))
    report = document(found, stack, head)
    console = terminal()
    show(console, report)
    file = folder / "incident.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    console.print(f"Written: {file}", highlight=False, markup=False, soft_wrap=True)


def document(found: Incident, stack: str, head: str) -> dict[str, Any]:
    """The incident as JSON values; times in UTC."""
    first: dict[str, dict[str, str]] = {}
    for told in found.notifications:
        for name in {episode.name for episode in told.firing}:
            first.setdefault(name, {}).setdefault(told.receiver, text(told.at))
    return {
        "stack": stack,
        "head": head,
        "from": text(found.since),
        "until": text(found.until),
        "first": {name: first[name] for name in sorted(first)},
        "messages": [
            {"at": text(told.at), "receiver": told.receiver, "what": what, "alerts": list(told.names)}
            for told, what in found.rows()
        ],
        "not_replayed": dict(sorted(found.not_replayed.items())),
    }


def show(console: Console, report: Mapping[str, Any]) -> None:
    """Print the document of an incident."""
    title = f"{report['stack']}: {report['head']}, {report['from']} to {report['until']}"
    if report["messages"]:
        table = Table(title=title)
        for column in ("at", "receiver", "", "alerts"):
            table.add_column(column, overflow="fold")
        for one in report["messages"]:
            table.add_row(one["at"], escape(one["receiver"]), one["what"], ", ".join(one["alerts"]))
        console.print(table)
    for name, reason in report["not_replayed"].items():
        console.print(f"{name}: {reason}", style="yellow", markup=False, highlight=False, soft_wrap=True)
    pages = sum(one["what"] == "page" for one in report["messages"])
    who = f"{len(report['messages'])} messages, {pages} of them pages" if report["messages"] else "Nobody is told"
    console.print(f"{who}; {len(report['first'])} alerts fire.", markup=False, highlight=False)


def from_file(file: Path, commit: deployed.Deployed, loki: str | None = None) -> Incident:
    """A captured incident under the rules and routes of a commit; `loki` is a server that has the file's lines."""
    found = capsule.read(file)
    with TemporaryDirectory(prefix="replay-") as folder:
        samples = Path(folder) / "samples.txt"
        samples.write_text(found.samples, encoding="utf-8")
        where = Sources(prometheus="", samples=samples, loki=loki)
        return incident.replay(commit, where, since=found.since, until=found.until, before=found.before)


def sources(forwards: ExitStack, stack: str, prometheus: str | None, loki: str | None) -> Sources:
    """The named servers. Without a Prometheus, those of the stack's cluster, each by a forwarded port."""
    if prometheus is not None:
        return Sources(prometheus=prometheus, loki=loki)
    now = environment.load(stack)
    return Sources(
        prometheus=forwards.enter_context(service_url(now.cluster(), now.service(PROMETHEUS))),
        loki=loki or forwards.enter_context(service_url(now.cluster(), now.service(LOKI))),
    )


def _milliseconds(before: str) -> int:
    try:
        return round(durations.seconds(before) * SECOND)
    except ValueError as error:
        raise UsageError(f"--before {before} is not allowed: {error}") from error
