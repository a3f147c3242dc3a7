"""Computes the position of every panel on Grafana's grid: rows of lines, each line 24 columns wide."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from grafana_foundation_sdk.models.dashboard import GridPos, Panel, RowPanel

WIDTH = 24
"""Columns of Grafana's grid."""
HEIGHT = 9
"""Default height of a line in grid units of about 36 pixels."""


@dataclass(frozen=True)
class Line:
    """Panels side by side, all with the same height."""

    panels: tuple[Panel, ...]
    height: int
    widths: tuple[int, ...]


@dataclass(frozen=True)
class Row:
    """Lines under a heading; an empty title means no heading."""

    title: str
    lines: tuple[Line, ...]
    collapsed: bool = False
    """Only the heading shows, and the queries run when somebody opens the row."""


def line(*panels: Panel, height: int = HEIGHT, widths: Iterable[int] = ()) -> Line:
    """A line whose panels have equal widths, or the given `widths`. Raises ValueError if they exceed 24 together."""
    shares = tuple(widths) or _equal(len(panels))
    if len(shares) != len(panels) or sum(shares) > WIDTH or min(shares) < 1:
        raise ValueError(f"{len(panels)} panels cannot have the widths {shares}: one each, together at most {WIDTH}")
    return Line(panels, height, shares)


def row(title: str, *lines: Line) -> Row:
    """Lines under a heading."""
    return Row(title, lines)


def collapsed(one: Row) -> Row:
    """The row, closed until somebody opens it."""
    return replace(one, collapsed=True)


def place(rows: Iterable[Row]) -> list[Panel | RowPanel]:
    """Every panel with its position and id; ids count from 1 in reading order."""
    placed: list[Panel | RowPanel] = []
    number, y = 0, 0
    for group in rows:
        inside: list[Panel] = []
        if group.title:
            number += 1
            heading = RowPanel(title=group.title, grid_pos=GridPos(h=1, w=WIDTH, x=0, y=y), id_val=number)
            heading.collapsed = group.collapsed
            placed.append(heading)
            if group.collapsed:
                heading.panels = inside
            y += 1
        below = y
        for entry in group.lines:
            x = 0
            for panel, width in zip(entry.panels, entry.widths, strict=True):
                number += 1
                panel.id_val = number
                panel.grid_pos = GridPos(h=entry.height, w=width, x=x, y=below)
                inside.append(panel)
                x += width
            below += entry.height
        if not group.collapsed:
            placed += inside
            y = below
    return placed


def _equal(count: int) -> tuple[int, ...]:
    """Widths that differ by at most one and fill the line."""
    return tuple(WIDTH * (index + 1) // count - WIDTH * index // count for index in range(count))
