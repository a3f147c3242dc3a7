"""Renders the report as Markdown for one comment of a pull request, within the maximum length of a comment."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from ops.review.changes import Action, Change, ChangeKind, Detail
from ops.review.report import MARKER, Report, headline
from ops.review.resources import Resources
from ops.terminal import plain

LIMIT = 60_000
"""Characters. GitHub allows 65,536."""
# Characters for the line about the cut entries and for closing tags.
_RESERVE = 400
_SIGNS = {Action.ADDED: "➕", Action.REMOVED: "➖", Action.CHANGED: "✏️", Action.REROUTED: "🔀"}
_LONGEST_VALUE = 300
_LONGEST_DIFF = 60


@dataclass(frozen=True, kw_only=True)
class _Section:
    """A part of the comment. Blocks are included as a whole or not at all."""

    title: str
    blocks: Sequence[str]
    opening: str = ""
    closing: str = ""
    collapsed: bool = False


def render(report: Report, *, limit: int = LIMIT) -> str:
    """The comment. If it is too long, entries at the end are left out, and a last line gives their number."""
    head = "\n".join(
        (MARKER.format(stack=report.stack), f"## What changes in `{report.stack}`", "", _escaped(headline(report)), "")
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
            f"\n✂️ **Cut:** {cut} entries do not fit into one comment. To see all: "
            f'`make summary ARGS="--base {report.base} --head {report.head} --stack {report.stack}"`\n'
        )
    shown = " → ".join(f"{_escaped(ref)} ({commit[:12]})" for ref, commit in zip(refs, report.commits, strict=True))
    parts.append(f"\n<sub>{shown}</sub>\n")
    return "".join(parts)


def _fitted(section: _Section, room: int) -> tuple[str, int]:
    """The section with as many blocks as fit, and the number of dropped blocks."""
    start, end = f"\n### {section.title}\n\n", section.closing
    if section.collapsed:
        start = f"\n<details><summary>{section.title}</summary>\n\n"
        end += "\n</details>\n"
    start += section.opening
    room -= len(start) + len(end)
    fitting: list[str] = []
    for block in section.blocks:
        if len(block) + 1 > room:
            break
        fitting.append(block)
        room -= len(block) + 1
    dropped = len(section.blocks) - len(fitting)
    return (start + "\n".join(fitting) + "\n" + end if fitting else ""), dropped


def _sections(report: Report) -> Iterator[_Section]:
    """The sections, the most important first, because the last ones are cut when there is little room."""
    if report.head_problems:
        yield _Section(
            title="⛔ This cannot be deployed", blocks=[f"- {_escaped(line)}" for line in report.head_problems]
        )
    if report.base_problems:
        text = (
            f"{len(report.base_problems)} problems in the base: some of its alerts, routes or dashboards are unknown. "
            "They are listed at the end."
        )
        yield _Section(title="⚠️ Not everything is compared", blocks=[text])
    if report.risks:
        lines = [
            f"- ⚠️ **{_escaped(change.name)}** ({change.kind.value}) {_escaped(risk)}" for change, risk in report.risks
        ]
        yield _Section(title="Easily overlooked", blocks=lines)
    if report.resources:
        yield from _resources(report.resources)
    yield from _replay(report)
    if alerts := report.of(ChangeKind.ALERT):
        yield _table("Alerts", alerts)
    if rest := [change for change in report.changes if change.kind not in (ChangeKind.ALERT, ChangeKind.SETTING)]:
        yield _table("Routes, SLOs, dashboards and the rest", rest, kinds=True)
    if report.cost or report.cost_problem:
        cost = report.cost.markdown() if report.cost else f"Not estimated: {_escaped(report.cost_problem)}"
        yield _Section(title="Cost", blocks=[cost])
    yield from _last(report)


def _last(report: Report) -> Iterator[_Section]:
    """The sections that only some readers need."""
    if settings := report.of(ChangeKind.SETTING):
        yield _table("Settings", settings)
    if shown := [_diff(change.name, change.message) for change in report.changes if change.message]:
        title = f"Messages, before and after ({len(shown)})"
        yield _Section(title=title, blocks=shown, collapsed=True)
    elif report.message_problem:
        yield _Section(title="Messages", blocks=[f"Not rendered: {_escaped(report.message_problem)}"])
    if diffs := [_diff(change.name, change.diff) for change in report.changes if change.diff]:
        yield _Section(title=f"Expressions ({len(diffs)})", blocks=diffs, collapsed=True)
    if report.base_problems:
        lines = [f"- {_escaped(line)}" for line in report.base_problems]
        title = "Parts of the base that this code cannot read, and that are not compared"
        yield _Section(title=title, blocks=lines, collapsed=True)


def _resources(resources: Resources) -> Iterator[_Section]:
    if resources.errors:
        yield _Section(title="⛔ The preview failed", blocks=[f"- {_escaped(line)}" for line in resources.errors])
    if resources.destructions:
        lines = [
            f"- 🚨 **{one.operation.upper()}** `{one.kind}` **{_escaped(one.name)}**"
            + (f", because of {_escaped(', '.join(one.because))}" if one.because else "")
            + (" (protected: the engine will refuse)" if one.protected else "")
            for one in resources.destructions
        ]
        yield _Section(title="Replaced or deleted", blocks=lines)
    rows = [
        f"| {operation} | `{kind}` | {count} |"
        for operation, kinds in sorted(resources.counts.items())
        for kind, count in sorted(kinds.items())
    ]
    total = sum(sum(kinds.values()) for kinds in resources.counts.values())
    if not rows:
        yield _Section(title="Resources", blocks=[f"No resource changes; {resources.unchanged} are unchanged."])
        return
    title = f"Resources: {total} change, {resources.unchanged} are unchanged"
    yield _Section(title=title, blocks=rows, opening="| | kind | |\n|---|---|---:|\n", collapsed=True)


def _replay(report: Report) -> Iterator[_Section]:
    if report.replay_problem:
        text = f"Not replayed: {_escaped(report.replay_problem)}"
        yield _Section(title="Who would have been notified", blocks=[text])
    if not report.replayed:
        return
    found = report.replayed
    if over := [one for one in found.budgets if one.over]:
        lines = [f"- {'⛔' if one.failing else '⚠️'} {_escaped(str(one))}" for one in over]
        yield _Section(title="Budgets of pages", blocks=lines)
    opening = (
        f"{_escaped(found.headline)} From {found.report['from']} to {found.report['until']}, by recorded data.\n\n"
        "| receiver | messages | pages | pages at night | new | lost | moved |\n|---|---:|---:|---:|---:|---:|---:|\n"
    )
    rows = [f"| {_cell(name)} | {' | '.join(cells)} |" for name, cells in found.rows()]
    yield _Section(title="Who would have been notified", blocks=rows, opening=opening)
    reasons = [f"{name}: {reason}" for name, reason in found.report["not_replayed"].items()]
    if notes := [*found.report["notes"], *reasons]:
        lines = [f"- {_escaped(line)}" for line in notes]
        yield _Section(title=f"What the replay lacks ({len(notes)})", blocks=lines, collapsed=True)


def _table(title: str, changes: Sequence[Change], *, kinds: bool = False) -> _Section:
    opening = "| | what | for whom | before → after |\n|---|---|---|---|\n"
    return _Section(title=title, blocks=[_row(change, kinds=kinds) for change in changes], opening=opening)


def _row(change: Change, *, kinds: bool) -> str:
    name = f"**{_cell(change.name)}**" + (f"<br>{change.kind.value}" if kinds else "")
    shown = "<br>".join(_detail(detail) for detail in change.details)
    return f"| {_SIGNS[change.action]} {change.action.value} | {name} | {_cell(whom(change))} | {shown} |"


def whom(change: Change) -> str:
    """System, team and channels of a change, as far as known."""
    owner = " / ".join(dict.fromkeys(part for part in (change.system, change.team) if part))
    receivers = ", ".join(change.receivers)
    return f"{owner}: {receivers}" if owner and receivers else owner or receivers


def _detail(detail: Detail) -> str:
    before, after = (f"<code>{_cell(side)}</code>" if side else "" for side in (detail.before, detail.after))
    arrow = f"{before} → {after or 'none'}" if before else after
    return f"{_cell(detail.what)}: {arrow}"


def _diff(name: str, text: str) -> str:
    lines = text.splitlines()
    shown = "\n".join(lines[:_LONGEST_DIFF]) + (
        f"\n… {len(lines) - _LONGEST_DIFF} more lines" if len(lines) > _LONGEST_DIFF else ""
    )
    longest = max((len(run) for run in re.findall(r"`+", shown)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"**{_escaped(name)}**\n{fence}diff\n{shown}\n{fence}\n"


def _cell(text: str) -> str:
    """Text for a table cell: shortened, without line breaks and column separators."""
    short = text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
    return _escaped(short).replace("|", "&#124;")


def _escaped(text: str) -> str:
    """Escapes text so that it contains no HTML, mention, emphasis or link."""
    shown = escape(" ".join(plain(text).split()), quote=False)
    return re.sub(r"[@`*_\[\]#~\\]", lambda match: f"&#{ord(match[0])};", shown)
