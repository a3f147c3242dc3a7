"""Alert episodes: what Prometheus tells Alertmanager about one alert, from its first firing to its resolution.

All times and durations of this folder are whole milliseconds; times count from 1970, in UTC.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
# Constants of Prometheus' rule manager. An alert is sent again at the first evaluation after more than a minute; it is
# valid for four of the longer of both intervals; a resolved alert is still sent for 15 minutes.
_RESEND = MINUTE
_VALID_INTERVALS = 4
_RESOLVED_IS_SENT = 15 * MINUTE


@dataclass(frozen=True, slots=True)
class Sent:
    """Times at which an alert is sent, with equal distances."""

    first: int
    count: int
    every: int
    valid: int
    """How long after each of them the alert counts as firing; 0: it is sent as resolved at the episode's end."""


@dataclass(frozen=True, kw_only=True)
class Episode:
    """One alert from its first firing to its resolution."""

    labels: Mapping[str, str]
    """As Alertmanager gets them, with `alertname` and the cluster's external labels."""
    starts: int
    ends: int
    """When it is resolved; if it never is, a time after the end of the replay."""
    sent: Sequence[Sent]

    @property
    def name(self) -> str:
        """The alert's name."""
        return self.labels["alertname"]

    def line(self) -> str:
        """The episode as one line of JSON, as the program `replay-routes` reads it."""
        sent = [asdict(one) for one in self.sent]
        return json.dumps({"labels": dict(self.labels), "starts": self.starts, "ends": self.ends, "sent": sent})


def parse(document: Mapping[str, Any]) -> Episode:
    """The episode of one line of JSON."""
    sent = tuple(Sent(**one) for one in document["sent"])
    return Episode(labels=document["labels"], starts=document["starts"], ends=document["ends"], sent=sent)


def valid(interval: int) -> int:
    """How long Alertmanager keeps a firing alert of which it hears nothing; its rule is evaluated every `interval`."""
    return _VALID_INTERVALS * max(interval, _RESEND)


def periods(
    labels: Mapping[str, str], firing: Iterable[tuple[int, int | None]], *, interval: int, until: int
) -> list[Episode]:
    """The episodes of one alert that fires from the first to before the second time of each pair.

    The times are evaluations of its rule, which is evaluated every `interval`. None: it fires beyond `until`, the end
    of the replay. The alert is sent as Prometheus sends it.
    """
    every = (_RESEND // interval + 1) * interval
    result: list[Episode] = []
    spans = list(firing)
    for index, (starts, ends) in enumerate(spans):
        last = until if ends is None else ends - interval
        sent = [Sent(starts, (last - starts) // every + 1, every, valid(interval))]
        if ends is not None:
            # A firing alert takes the place of a resolved one with the same labels.
            following = spans[index + 1][0] - 1 if index + 1 < len(spans) else until
            still = min(ends + _RESOLVED_IS_SENT, following)
            sent.append(Sent(ends, max(still - ends, 0) // every + 1, every, 0))
        result.append(Episode(labels=labels, starts=starts, ends=until + 1 if ends is None else ends, sent=tuple(sent)))
    return result
