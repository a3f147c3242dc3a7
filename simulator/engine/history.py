"""Recent counts of a workload, for faults that must outweigh them."""

from collections import deque
from dataclasses import dataclass

KEPT = 3 * 86_400.0
"""Seconds of history; the longest window of a burn rate alert."""
_MINUTE = 60.0


@dataclass
class _Minute:
    number: float
    all: int = 0
    bad: int = 0


class History:
    """Events of some metrics per minute."""

    def __init__(self) -> None:
        """Keeps nothing until it is told to `follow` a metric."""
        self._minutes: dict[str, deque[_Minute]] = {}

    def follow(self, metric: str) -> None:
        """Keep the history of this metric from now on."""
        self._minutes.setdefault(metric, deque())

    def add(self, metric: str, count: int, *, bad: bool, now: float) -> None:
        """Add events that happened at `now`, in seconds of a monotonic clock."""
        minutes = self._minutes.get(metric)
        if minutes is None or not count:
            return
        number = now // _MINUTE
        if not minutes or minutes[-1].number != number:
            minutes.append(_Minute(number))
        minutes[-1].all += count
        minutes[-1].bad += count if bad else 0
        while minutes[0].number < (now - KEPT) // _MINUTE:
            minutes.popleft()

    def counted(self, metric: str, window: float, now: float) -> tuple[int, int]:
        """All and bad events within the last `window` seconds, rounded up to minutes.

        Raises KeyError for a metric without history.
        """
        inside = [minute for minute in self._minutes[metric] if minute.number >= (now - window) // _MINUTE]
        return sum(minute.all for minute in inside), sum(minute.bad for minute in inside)
