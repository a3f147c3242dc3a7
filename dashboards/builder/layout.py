"""Places panels on Grafana's grid: rows of lines, each line 24 columns wide. Nothing is placed by hand."""

from collections.abc import Iterable
from dataclasses import dataclass

from grafana_foundation_sdk.models.dashboard import GridPos, Panel, RowPanel

WIDTH = 24
"""Columns of Grafana's grid."""
HEIGHT = 9
"""Grid units of a line, about 36 pixels each, unless it says another."""


@dataclass(frozen=True)
class Line:
    """Panels side by side, all equally high."""

    panels: tuple[Panel, ...]
    height: int
    widths: tuple[int, ...]


@dataclass(frozen=True)
class Row:
    """Lines under a heading; without a title there is no heading."""

    title: str
    lines: tuple[Line, ...]


def line(*panels: Panel, height: int = HEIGHT, widths: Iterable[int] = ()) -> Line:
    """A line whose panels share the width equally, or have these widths. Raises ValueError when 24 is exceeded."""
    shares = tuple(widths) or _equal(len(panels))
    if len(shares) != len(panels) or sum(shares) > WIDTH or min(shares) < 1:
        raise ValueError(f"{len(panels)} panels cannot have the widths {shares}: one each, together at most {WIDTH}")
    return Line(panels, height, shares)


def row(title: str, *lines: Line) -> Row:
    """Lines under a heading."""
    return Row(title, lines)


def place(rows: Iterable[Row]) -> list[Panel | RowPanel]:
    """Every panel with its position and its id, from the top left; ids count from 1 in reading order."""
    placed: list[Panel | RowPanel] = []
    y = 0
    for one in rows:
        if one.title:
            placed.append(RowPanel(title=one.title, grid_pos=GridPos(h=1, w=WIDTH, x=0, y=y)))
            y += 1
        for these in one.lines:
            x = 0
            for panel, width in zip(these.panels, these.widths, strict=True):
                panel.grid_pos = GridPos(h=these.height, w=width, x=x, y=y)
                placed.append(panel)
                x += width
            y += these.height
    for number, panel in enumerate(placed, start=1):
        panel.id_val = number
    return placed


def _equal(count: int) -> tuple[int, ...]:
    """Widths that differ by at most one and fill the line."""
    return tuple(WIDTH * (index + 1) // count - WIDTH * index // count for index in range(count))
