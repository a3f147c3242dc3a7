"""Log lines of Loki, over as many answers as they take."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ops.clients.signals import Api

_MOST = 5000
"""Most lines of one answer of Loki."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """A log line that Loki has stored."""

    at: int
    """Nanoseconds since 1970."""
    text: str
    stream: Mapping[str, str]
    """Labels of its stream, with structured metadata, which Loki's answers do not tell apart."""


def stored(loki: Api, selector: str, *, start: int, end: int) -> Iterator[Line]:
    """The lines that a LogQL selector finds from `start` to before `end`, nanoseconds since 1970, oldest first.

    Raises OpsError.
    """
    while True:
        answer = loki.get(
            "/loki/api/v1/query_range", query=selector, start=start, end=end, limit=_MOST, direction="forward"
        )["data"]["result"]
        part = sorted(
            (Line(at=int(at), text=text, stream=one["stream"]) for one in answer for at, text, *_ in one["values"]),
            key=lambda line: line.at,
        )
        yield from part
        if len(part) < _MOST:
            return
        start = part[-1].at + 1
