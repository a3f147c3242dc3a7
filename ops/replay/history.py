"""What a Prometheus has recorded: which alerts it really raised, and since when it has data."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, NamedTuple

from alerting import durations
from alerting.routing.tree import HEARTBEAT
from ops.clients.signals import Api, Prometheus
from ops.errors import OpsError, UsageError
from ops.replay.episodes import HOUR, SECOND, Episode, periods, valid
from ops.replay.rules import Recorded

_DAY = 24 * HOUR
_MOST_STEPS = 11_000
"""Most steps that Prometheus allows in one range query."""
_LOOK_BACK = 300 * SECOND
"""How long a sample counts for Prometheus."""
_LATE = 1.5
"""Intervals between two samples of a rule from which on an evaluation is missing; one may be late by a little."""
# Labels that only the series ALERTS has.
_NOT_OF_ALERTS = ("__name__", "alertstate")


class History:
    """Answers of one server. Its methods raise OpsError if it does not answer."""

    def __init__(self, url: str) -> None:
        """`url` of the Prometheus."""
        self._api = Prometheus(url)

    def now(self) -> int:
        """The server's own time, so that the clock of this machine decides nothing."""
        time, _ = self._api.get("/api/v1/query", query="time()")["data"]["result"]
        return round(float(time) * SECOND)

    def present(self, metric: str, start: int, until: int) -> tuple[int, int] | None:
        """When the server has the first and the last sample of a metric, to about five minutes; None if it has none."""
        step = max(_LOOK_BACK, -(-(until - start) // (_MOST_STEPS - 1)))
        parameters = {"start": start / SECOND, "end": until / SECOND, "step": step / SECOND}
        found = self._api.get("/api/v1/query_range", query=f"count({metric})", **parameters)["data"]["result"]
        times = [float(time) * SECOND for series in found for time, _ in series["values"]]
        return (round(min(times)), round(max(times))) if times else None

    def raised(self, recorded: Recorded, intervals: Mapping[str, int], interval: int) -> list[Episode]:
        """The episodes of all alerts that fired in the recorded time, without the labels that the server adds.

        `intervals` are the milliseconds between two evaluations of each alert, `interval` is that of others. An alert
        that fired at the start or at the end counts from there, or beyond the end. A restart of the server resolves no
        alert, if it takes less time than Alertmanager keeps an alert of which it hears nothing.
        """
        seen: dict[tuple[tuple[str, str], ...], list[int]] = {}
        for start in range(recorded.start, recorded.until, _DAY):
            end = min(start + _DAY, recorded.until)
            for series in self._samples('ALERTS{alertstate="firing"}', start, end):
                own = {name: value for name, value in series["metric"].items() if name not in _NOT_OF_ALERTS}
                at = seen.setdefault(tuple(sorted(own.items())), [])
                at += [round(float(time) * SECOND) for time, _ in series["values"]]
        beats = next((at for labels, at in seen.items() if dict(labels)["alertname"] == HEARTBEAT), [])
        pauses = _pauses(beats, intervals.get(HEARTBEAT, interval))
        episodes: list[Episode] = []
        for labels, at in sorted(seen.items()):
            own = dict(labels)
            every = intervals.get(own["alertname"], interval)
            spans = _spans(at, every, recorded.until, pauses)
            episodes += periods(own, spans, interval=every, until=recorded.until)
        return episodes

    def _samples(self, selector: str, start: int, end: int) -> Sequence[Mapping[str, Any]]:
        """The samples after `start`, up to `end`."""
        query = f"{selector}[{end - start}ms]"
        found = self._api.get("/api/v1/query", query=query, time=end / SECOND)["data"]
        if found["resultType"] != "matrix":
            raise OpsError(f"Prometheus answered {query} with a {found['resultType']}, not with a matrix")
        return found["result"]


class Lines:
    """Which log lines a Loki has. Its methods raise OpsError if it does not answer."""

    def __init__(self, url: str) -> None:
        """`url` of the Loki."""
        self._api = Api("Loki", url)

    def first(self, stream: str, start: int, until: int) -> int | None:
        """When Loki has the first line of these streams; None if it has none."""
        found = self._api.get(
            "/loki/api/v1/query_range",
            query=stream,
            start=start * 10**6,
            end=until * 10**6,
            limit=1,
            direction="forward",
        )["data"]["result"]
        times = [int(time) // 10**6 for one in found for time, *_ in one["values"]]
        return min(times, default=None)


class Stretch(NamedTuple):
    """A start and an end, in milliseconds since 1970."""

    since: int
    until: int


def stretch(start: str, until: str | None, now: int) -> Stretch:
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
    return Stretch(first, end)


def _time(option: str, text: str) -> int:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"{option} {text} is not allowed; allowed: a time such as 2026-11-28T12:00"
            + (", or a duration such as 30d" if option == "--from" else "")
        ) from error
    return round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * SECOND)


def _pauses(beats: Sequence[int], interval: int) -> list[tuple[int, int]]:
    """Times in which the server evaluated no rules: between two samples of an alert that always fires."""
    return [(before, after) for before, after in pairwise(beats) if after - before >= _LATE * interval]


def _spans(
    at: Sequence[int], interval: int, until: int, pauses: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, int | None]]:
    """Evaluations without a gap, as start and end (the first at which it did not fire; None: after `until`)."""
    starts = last = at[0]
    for time in [*at[1:], None]:
        if time is not None and (
            time - last < _LATE * interval
            or (time - last <= valid(interval) and any(last < end and start < time for start, end in pauses))
        ):
            last = time
            continue
        ends = last + interval
        yield starts, ends if ends <= until else None
        if time is not None:
            starts = last = time
