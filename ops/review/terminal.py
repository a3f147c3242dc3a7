"""Prints the report as tables in a terminal."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ops.review.changes import Action, Change, Detail
from ops.review.pull_request_comment import whom
from ops.review.report import Report, headline
from ops.review.resources import Resources

_COLOURS = {Action.ADDED: "green", Action.REMOVED: "red", Action.CHANGED: "yellow", Action.REROUTED: "magenta"}


def show(console: Console, report: Report) -> None:
    """Print the whole report, including the diffs of expressions."""
    console.print(f"[bold]{report.stack}[/]: {report.base} -> {report.head}", highlight=False)
    _lines(console, "This cannot be deployed", report.head_problems, "bold red")
    _lines(console, "Not compared, because this code cannot read the base", report.base_problems, "yellow")
    _lines(console, "Easily overlooked", [f"{change.name} {risk}" for change, risk in report.risks], "bold red")
    if report.resources:
        _resources(console, report.resources)
    console.print(headline(report), soft_wrap=True, markup=False, highlight=False)
    if report.changes:
        console.print(_table(report))
    for change in report.changes:
        if change.diff:
            console.print(f"\n{change.name}\n{change.diff}", markup=False, highlight=False, soft_wrap=True)
    if report.replayed:
        console.print(report.replayed.headline, soft_wrap=True, markup=False, highlight=False)
        over = [str(one) for one in report.replayed.budgets if one.over]
        _lines(console, "Budgets of pages", over, "bold red" if report.replayed.failing else "yellow")
    elif report.replay_problem:
        console.print(f"Not replayed: {report.replay_problem}", soft_wrap=True, markup=False)
    if report.cost:
        report.cost.show(console)
    elif report.cost_problem:
        console.print(f"The cost was not estimated: {report.cost_problem}", soft_wrap=True, markup=False)


def _lines(console: Console, title: str, lines: object, style: str) -> None:
    found = list(lines) if isinstance(lines, list | tuple) else []  # pyright: ignore[reportUnknownArgumentType]
    if found:
        console.print(f"[{style}]{title}[/]")
        for line in found:
            console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)


def _resources(console: Console, resources: Resources) -> None:
    _lines(console, "The preview failed", list(resources.errors), "bold red")
    destructions = [
        f"{one.operation} {one.kind} {one.name}"
        + (f", because of {', '.join(one.because)}" if one.because else "")
        + (" (protected: the engine will refuse)" if one.protected else "")
        for one in resources.destructions
    ]
    _lines(console, "Replaced or deleted", destructions, "bold red")
    table = Table(title=f"Resources; {resources.unchanged} are unchanged")
    for column in ("operation", "kind", "count"):
        table.add_column(column)
    for operation, kinds in sorted(resources.counts.items()):
        for kind, count in sorted(kinds.items()):
            table.add_row(operation, kind, str(count))
    if resources.counts:
        console.print(table)


def _table(report: Report) -> Table:
    table = Table(show_lines=True)
    for column in ("", "what", "for whom", "before -> after"):
        table.add_column(column, overflow="fold")
    for change in report.changes:
        table.add_row(*_row(change))
    return table


def _row(change: Change) -> tuple[str, str, str, str]:
    colour = _COLOURS[change.action]
    shown = "\n".join(_detail(detail) for detail in change.details)
    return (
        f"[{colour}]{change.action.value}[/]",
        f"{escape(change.name)}\n[dim]{change.kind.value}[/]",
        escape(whom(change)),
        escape(shown),
    )


def _detail(detail: Detail) -> str:
    if not detail.before:
        return f"{detail.what}: {detail.after}"
    return f"{detail.what}: {detail.before} -> {detail.after or 'none'}"
