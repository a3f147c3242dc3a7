"""Prints the comparison as tables in a terminal."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ops.replay.comparison import NIGHT

_COUNTS = {
    "messages": "messages",
    "pages": "pages",
    "at_night": "firing messages\nat night",
    "night_pages": "pages\nat night",
}

_SHOWN = 5
"""Number of episodes that a terminal shows; the files have more."""


def show(console: Console, report: Mapping[str, Any]) -> None:
    """Print a report of ops.replay.document."""
    title = f"{report['stack']}: {report['base']} -> {report['head']}, {report['from']} to {report['until']}"
    console.print(title, style="bold", highlight=False, markup=False)
    for note in report["notes"]:
        console.print(note, style="yellow", highlight=False, markup=False, soft_wrap=True)
    if report["receivers"]:
        console.print(_receivers(report))
    if report["alerts"]:
        console.print(_alerts(report["alerts"]))
    if report["longest"]:
        console.print(_longest(report["longest"]))
    if report["suggestions"]:
        console.print(_suggestions(report["suggestions"]))
    if report["not_replayed"]:
        console.print(_not_replayed(report["not_replayed"]))
    console.print(headline(report), highlight=False, markup=False, soft_wrap=True)
    console.print(
        f"A page is a message that opens an incident at the pager. Night is {NIGHT[0]}:00 to {NIGHT[1]}:00 "
        f"({report['zone']}).",
        style="dim",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def headline(report: Mapping[str, Any]) -> str:
    """The difference in one line."""
    total = report["total"]
    base, head = total["base"], total["head"]
    if not (total["new"] or total["lost"] or total["moved"]):
        return f"No difference: both notify {base['messages']} times, with {base['pages']} pages."
    return (
        f"{total['new']} messages are new, {total['lost']} lost, {total['moved']} moved. "
        f"Pages: {base['pages']} -> {head['pages']}, at night {base['night_pages']} -> {head['night_pages']}."
    )


def _receivers(report: Mapping[str, Any]) -> Table:
    table = Table(title="By receiver: base -> head")
    table.add_column("receiver", overflow="fold")
    for column in (*_COUNTS.values(), "new", "lost", "moved"):
        table.add_column(column, justify="right")
    for name, one in {**report["receivers"], "all": report["total"]}.items():
        table.add_row(escape(name), *_cells(one), style="bold" if name == "all" else "")
    return table


def _alerts(alerts: Mapping[str, Any]) -> Table:
    table = Table(title="By alert that is changed, or whose messages differ: base -> head")
    table.add_column("alert", overflow="fold")
    table.add_column("rule")
    for column in ("fired", "for", *_COUNTS.values(), "new", "lost", "moved"):
        table.add_column(column, justify="right")
    for name, one in alerts.items():
        fired, seconds = one["episodes"], one["firing_seconds"]
        table.add_row(
            escape(name),
            one["rule"],
            _change(fired["base"], fired["head"]),
            _change(duration(seconds["base"]), duration(seconds["head"])),
            *_cells(one),
        )
    return table


def _longest(episodes: list[Mapping[str, Any]]) -> Table:
    table = Table(title="Longest episodes of these alerts: base -> head")
    for column in ("alert", "series", "from", "for"):
        table.add_column(column, overflow="fold")
    for one in episodes[:_SHOWN]:
        series = ", ".join(f"{name}={value}" for name, value in one["series"].items())
        table.add_row(escape(one["alert"]), escape(series), *(_change(*both) for both in _times(one)))
    return table


def _suggestions(suggestions: list[Mapping[str, Any]]) -> Table:
    table = Table(title="What would have saved messages of the head's noisiest alerts; each variant is replayed")
    for column in ("alert", "change"):
        table.add_column(column, overflow="fold")
    for column in ("messages", "of all alerts", "episodes\nunheard", "later"):
        table.add_column(column, justify="right")
    for one in suggestions:
        table.add_row(escape(one["alert"]), escape(one["change"]), *saved(one))
    return table


def saved(one: Mapping[str, Any]) -> list[str]:
    """The texts of a suggestion's numbers."""
    return [
        _change(one["before"], one["after"]),
        _change(one["all_before"], one["all_after"]),
        str(one["unheard"] or ""),
        duration(one["later"]) if one["later"] else "",
    ]


def _times(one: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Start and length of an episode in the base and in the head."""
    for shown in (_start, length):
        base, head = (shown(one[side]) if one[side] else "-" for side in ("base", "head"))
        yield base, head


def _start(time: Mapping[str, Any]) -> str:
    return time["starts"].replace("T", " ")[:16]


def _not_replayed(reasons: Mapping[str, str]) -> Table:
    table = Table(title="Not replayed: these count on neither side")
    table.add_column("alert", overflow="fold")
    table.add_column("reason", overflow="fold")
    for name, reason in sorted(reasons.items()):
        table.add_row(escape(name), escape(reason))
    return table


def length(time: Mapping[str, Any]) -> str:
    """How long an episode fired."""
    return duration(time["seconds"]) + ("" if time["ends"] else ", still fires")


def duration(seconds: float) -> str:
    """Seconds for people, such as `2h 5m`."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f}s"
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = {"d": days, "h": hours, "m": minutes}
    return " ".join(f"{count}{unit}" for unit, count in parts.items() if count) or "0s"


def _cells(one: Mapping[str, Any]) -> list[str]:
    counts = [_change(one["base"][key], one["head"][key]) for key in _COUNTS]
    return [*counts, *(str(one[key] or "") for key in ("new", "lost", "moved"))]


def _change(before: object, after: object) -> str:
    return str(before) if before == after else f"{before} -> {after}"
