"""The report as Markdown for one comment of a pull request, never longer than a comment may be."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from ops.review.changes import Action, Change, Detail, Kind
from ops.review.report import MARKER, Report, headline
from ops.review.resources import Resources

LIMIT = 60_000
"""Characters. GitHub takes 65,536."""
# For the line that says what was cut, and for closing what is open.
_RESERVE = 400
_SIGNS = {Action.ADDED: "➕", Action.REMOVED: "➖", Action.CHANGED: "✏️", Action.REROUTED: "🔀"}
_LONGEST_VALUE = 300
_LONGEST_DIFF = 60


@dataclass(frozen=True, kw_only=True)
class _Section:
    """A part of the comment; its blocks are never torn apart."""

    title: str
    blocks: Sequence[str]
    opening: str = ""
    closing: str = ""
    collapsed: bool = False


def render(report: Report, *, limit: int = LIMIT) -> str:
    """The comment. What has no room is left out from the end, and a last line says how much that is."""
    head = "\n".join(
        (MARKER.format(stack=report.stack), f"## What changes in `{report.stack}`", "", _told(headline(report)), "")
    )
    refs = (report.base, report.head)
    parts, left, cut = [head], limit - len(head) - _RESERVE, 0
    for section in _sections(report):
        text, dropped = _fitted(section, left)
        parts.append(text)
        left -= len(text)
        cut += dropped
    if cut:
        parts.append(
            f"\n✂️ **Cut:** {cut} entries have no room in one comment. All of it: "
            f'`make summary ARGS="--base {report.base} --head {report.head} --stack {report.stack}"`\n'
        )
    shown = " → ".join(f"{_told(ref)} ({commit[:12]})" for ref, commit in zip(refs, report.commits, strict=True))
    parts.append(f"\n<sub>{shown}</sub>\n")
    return "".join(parts)


def _fitted(section: _Section, room: int) -> tuple[str, int]:
    """The section with as many blocks as fit, and how many do not."""
    start, end = f"\n### {section.title}\n\n", section.closing
    if section.collapsed:
        start = f"\n<details><summary>{section.title}</summary>\n\n"
        end += "\n</details>\n"
    start += section.opening
    room -= len(start) + len(end)
    kept: list[str] = []
    for block in section.blocks:
        if len(block) + 1 > room:
            break
        kept.append(block)
        room -= len(block) + 1
    dropped = len(section.blocks) - len(kept)
    return (start + "\n".join(kept) + "\n" + end if kept else ""), dropped


def _sections(report: Report) -> Iterator[_Section]:
    """What must be seen comes first: it is what is left when there is little room."""
    if report.head_problems:
        yield _Section(title="⛔ This cannot be deployed", blocks=[f"- {_told(line)}" for line in report.head_problems])
    if report.base_problems:
        said = (
            f"{len(report.base_problems)} problems in the base; what it has of alerts, routes or dashboards is unknown."
        )
        yield _Section(title="⚠️ Not everything is compared", blocks=[f"{said} They stand at the end."])
    if report.risks:
        lines = [f"- ⚠️ **{_told(change.name)}** ({change.kind.value}) {_told(risk)}" for change, risk in report.risks]
        yield _Section(title="Easily overlooked", blocks=lines)
    if report.resources:
        yield from _resources(report.resources)
    if alerts := report.of(Kind.ALERT):
        yield _table("Alerts", alerts)
    if rest := [change for change in report.changes if change.kind not in (Kind.ALERT, Kind.SETTING)]:
        yield _table("Routes, SLOs, dashboards and the rest", rest, kinds=True)
    if report.cost or report.cost_problem:
        told = report.cost.markdown() if report.cost else f"Not estimated: {_told(report.cost_problem)}"
        yield _Section(title="Cost", blocks=[told])
    yield from _last(report)


def _last(report: Report) -> Iterator[_Section]:
    """What is read on demand."""
    if settings := report.of(Kind.SETTING):
        yield _table("Settings", settings)
    if diffs := [_diff(change) for change in report.changes if change.diff]:
        yield _Section(title=f"Expressions ({len(diffs)})", blocks=diffs, collapsed=True)
    if report.base_problems:
        lines = [f"- {_told(line)}" for line in report.base_problems]
        title = "Parts of the base that cannot be read by this code, and are not compared"
        yield _Section(title=title, blocks=lines, collapsed=True)


def _resources(resources: Resources) -> Iterator[_Section]:
    if resources.errors:
        yield _Section(title="⛔ The preview failed", blocks=[f"- {_told(line)}" for line in resources.errors])
    if resources.loud:
        lines = [
            f"- 🚨 **{one.operation.upper()}** `{one.kind}` **{_told(one.name)}**"
            + (f", because of {_told(', '.join(one.because))}" if one.because else "")
            + (" (protected: the engine refuses)" if one.protected else "")
            for one in resources.loud
        ]
        yield _Section(title="Replaced or deleted", blocks=lines)
    rows = [
        f"| {operation} | `{kind}` | {count} |"
        for operation, kinds in sorted(resources.counts.items())
        for kind, count in sorted(kinds.items())
    ]
    total = sum(sum(kinds.values()) for kinds in resources.counts.values())
    if not rows:
        yield _Section(title="Resources", blocks=[f"No resource changes; {resources.unchanged} stay as they are."])
        return
    title = f"Resources: {total} change, {resources.unchanged} stay as they are"
    yield _Section(title=title, blocks=rows, opening="| | kind | |\n|---|---|---:|\n", collapsed=True)


def _table(title: str, changes: Sequence[Change], *, kinds: bool = False) -> _Section:
    opening = "| | what | for whom | before → after |\n|---|---|---|---|\n"
    return _Section(title=title, blocks=[_row(change, kinds=kinds) for change in changes], opening=opening)


def _row(change: Change, *, kinds: bool) -> str:
    name = f"**{_cell(change.name)}**" + (f"<br>{change.kind.value}" if kinds else "")
    shown = "<br>".join(_detail(detail) for detail in change.details)
    return f"| {_SIGNS[change.action]} {change.action.value} | {name} | {_cell(whom(change))} | {shown} |"


def whom(change: Change) -> str:
    """System, team and channels, as far as they are known."""
    who = " / ".join(dict.fromkeys(part for part in (change.system, change.team) if part))
    told = ", ".join(change.receivers)
    return f"{who}: {told}" if who and told else who or told


def _detail(detail: Detail) -> str:
    before, after = (f"<code>{_cell(side)}</code>" if side else "" for side in (detail.before, detail.after))
    arrow = f"{before} → {after or 'none'}" if before else after
    return f"{_cell(detail.what)}: {arrow}"


def _diff(change: Change) -> str:
    lines = change.diff.splitlines()
    shown = "\n".join(lines[:_LONGEST_DIFF]) + (
        f"\n… {len(lines) - _LONGEST_DIFF} more lines" if len(lines) > _LONGEST_DIFF else ""
    )
    longest = max((len(run) for run in re.findall(r"`+", shown)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"**{_told(change.name)}**\n{fence}diff\n{shown}\n{fence}\n"


def _cell(text: str) -> str:
    """Text inside a table: no line ends, no column ends."""
    short = text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
    return _told(short).replace("|", "&#124;")


def _told(text: str) -> str:
    """Text that is only text: no HTML, no mention of anybody, no emphasis, no link."""
    plain = escape(" ".join(text.split()), quote=False)
    return re.sub(r"[@`*_\[\]#~\\]", lambda match: f"&#{ord(match[0])};", plain)
