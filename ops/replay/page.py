"""Draws the comparison as an HTML page with a timeline."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ops import report_page
from ops.replay.comparison import NIGHT, Change, Comparison, Pair
from ops.replay.document import text
from ops.replay.episodes import HOUR, SECOND
from ops.replay.replay import Side
from ops.replay.terminal import duration, headline, length, saved

_TEMPLATE = Path(__file__).with_name("report.html.j2")
# Bars and marks that are nearer than this share of the timeline are drawn as one, so that a page stays small.
_RESOLUTION = 0.1
_TICK_HOURS = (1, 2, 6, 12, 24, 48, 120, 240, 720)
_MOST_TICKS = 12


def page(found: Comparison, report: Mapping[str, Any]) -> str:
    """A self-contained page; `report` is that of ops.replay.document."""
    scale = _Scale(found.replay.since, found.replay.until)
    rows = [
        {
            "alert": name,
            "tracks": [
                {"side": side.rules.commit.name, "bars": scale.bars(_times(found, side, name)), "marks": marks}
                for side, marks in (
                    (found.replay.base, scale.marks(_marked(found.pairs, name, head=False))),
                    (found.replay.head, scale.marks(_marked(found.pairs, name, head=True))),
                )
            ],
        }
        for name in found.by_alert
    ]
    hours = report["firing_messages_by_hour"]
    return report_page.render(
        _TEMPLATE,
        report=report,
        rows=rows,
        headline=headline(report),
        ticks=scale.ticks(),
        night=NIGHT,
        hours=list(range(24)),
        most=max(*hours["base"], *hours["head"], 1),
        duration=duration,
        length=length,
        saved=saved,
    )


def _times(found: Comparison, side: Side, name: str) -> list[tuple[int, int]]:
    return sorted((one.starts, one.ends) for one in found.episodes(side, name))


def _marked(pairs: Iterable[Pair], name: str, *, head: bool) -> Iterator[tuple[int, Change, str]]:
    """Time, change and text of each message of one side that names the alert."""
    for pair in pairs:
        message = pair.head if head else pair.base
        if message and name in message.told.names:
            state = "firing" if message.firing else "resolved"
            shown = f"{message.told.receiver}, {state}, {pair.change.value}, {text(message.told.at)}"
            yield message.told.at, pair.change, shown + (", page" if message.page else "")


class _Scale:
    """Places in the timeline, in per cent."""

    def __init__(self, start: int, end: int) -> None:
        self._start, self._end = start, end

    def place(self, at: int) -> float:
        return round(100 * (min(max(at, self._start), self._end) - self._start) / (self._end - self._start), 3)

    def bars(self, spans: Iterable[tuple[int, int]]) -> list[dict[str, float]]:
        """Bars of spans that are in order of their start."""
        merged: list[list[float]] = []
        for start, end in spans:
            left, right = self.place(start), self.place(end)
            if merged and left - merged[-1][1] < _RESOLUTION:
                merged[-1][1] = max(merged[-1][1], right)
            else:
                merged.append([left, right])
        return [{"x": left, "width": round(max(right - left, _RESOLUTION), 3)} for left, right in merged]

    def marks(self, messages: Iterable[tuple[int, Change, str]]) -> list[dict[str, Any]]:
        """Marks of messages; those of one kind at one place are one mark."""
        places: dict[tuple[float, Change], list[str]] = {}
        for at, change, shown in messages:
            places.setdefault((round(self.place(at), 1), change), []).append(shown)
        return [
            {
                "x": x,
                "change": change.value,
                "text": texts[0] if len(texts) == 1 else f"{texts[0]} and {len(texts) - 1} more",
            }
            for (x, change), texts in sorted(places.items())
        ]

    def ticks(self) -> list[dict[str, Any]]:
        """Labelled places: whole hours, or midnights in UTC."""
        span = self._end - self._start
        step = next((hours for hours in _TICK_HOURS if span / (hours * HOUR) <= _MOST_TICKS), _TICK_HOURS[-1]) * HOUR
        first = -(-self._start // step) * step
        form = "%H:%M" if step < 24 * HOUR else "%d %b"
        return [
            {"x": self.place(at), "text": datetime.fromtimestamp(at / SECOND, UTC).strftime(form)}
            for at in range(first, self._end + 1, step)
        ]
