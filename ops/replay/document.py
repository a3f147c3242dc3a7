"""The comparison as JSON values; the terminal and the page show the same."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from ops.replay.comparison import Change, Comparison, Difference, Message, Pair
from ops.replay.episodes import MINUTE, SECOND, Episode
from ops.replay.suggestions import Suggestion

_LONGEST = 10
"""Number of episodes that are listed as the longest."""
_AROUND = 0.5
"""Share of an episode's length that a graph shows before and after it, and the least."""
_LEAST_AROUND = 10 * MINUTE


@dataclass(frozen=True, kw_only=True)
class About:
    """What was compared, as given on the command line."""

    stack: str
    zone: str
    """Time zone of the hours."""
    prometheus: str | None
    """URL for links to graphs; None: it leads nowhere after the command."""


def document(about: About, found: Comparison, suggestions: Sequence[Suggestion] = ()) -> dict[str, Any]:
    """The whole report. Times are in UTC, durations in seconds, hours in the zone of `about`."""
    replay = found.replay
    return {
        "stack": about.stack,
        "base": replay.base.rules.commit.name,
        "head": replay.head.rules.commit.name,
        "from": text(replay.since),
        "until": text(replay.until),
        "zone": about.zone,
        "notes": list(replay.notes),
        "not_replayed": dict(replay.not_replayed),
        "total": asdict(found.total),
        "receivers": {name: asdict(one) for name, one in found.by_receiver.items()},
        "alerts": {name: _alert(found, name, one) for name, one in found.by_alert.items()},
        "firing_messages_by_hour": {
            "base": _hours([pair.base for pair in found.pairs]),
            "head": _hours([pair.head for pair in found.pairs]),
        },
        "messages": [_message(pair) for pair in found.pairs if pair.change is not Change.SAME],
        "longest": longest(about, found),
        "suggestions": [asdict(one) for one in suggestions],
        "cost": [asdict(cost) for cost in replay.costs],
    }


def text(at: int) -> str:
    """A time in milliseconds as ISO 8601, in UTC, to a second."""
    return datetime.fromtimestamp(at // SECOND, UTC).isoformat().replace("+00:00", "Z")


def how_changed(found: Comparison, name: str) -> str:
    """What happens to an alert's rule: added, removed, changed, or nothing."""
    if name not in found.replay.changed.replayed:
        return "same rule"
    before, after = (name in side.rules.all_alerts for side in (found.replay.base, found.replay.head))
    return "changed" if before and after else "added" if after else "removed"


def longest(about: About, found: Comparison) -> list[dict[str, Any]]:
    """The longest episodes of the alerts in `by_alert`, the longest one first, as both commits have them."""
    both: list[tuple[Episode | None, Episode | None]] = []
    for name in found.by_alert:
        base, head = (found.episodes(side, name) for side in (found.replay.base, found.replay.head))
        left = list(head)
        for one in base:
            same = next((other for other in left if _same(found, one, other)), None)
            if same:
                left.remove(same)
            both.append((one, same))
        both += [(None, one) for one in left]
    both.sort(key=lambda pair: -max(found.seconds(one) for one in pair if one))
    return [_episode(about, found, *pair) for pair in both[:_LONGEST]]


def _same(found: Comparison, base: Episode, head: Episode) -> bool:
    """Whether two episodes of one alert overlap, and are of the same series."""
    return base.starts < head.ends and head.starts < base.ends and _series(found, base) == _series(found, head)


def _series(found: Comparison, one: Episode) -> dict[str, str]:
    """The labels of an episode's series: those that neither its rule nor the server sets."""
    set_by = {"alertname"}
    for side in (found.replay.base, found.replay.head):
        rule = side.rules.all_alerts.get(one.name)
        set_by |= {*side.rules.commit.labels, *(rule.labels if rule else ())}
    return {name: value for name, value in sorted(one.labels.items()) if name not in set_by}


def _episode(about: About, found: Comparison, base: Episode | None, head: Episode | None) -> dict[str, Any]:
    times = [one for one in (base, head) if one]
    name, starts = times[0].name, min(one.starts for one in times)
    ends = min(max(one.ends for one in times), found.replay.until)
    around = max(int((ends - starts) * _AROUND), _LEAST_AROUND)
    rule = found.replay.rule(name)
    dashboard = graph = None
    if rule and rule.dashboard:
        dashboard = f"{rule.dashboard}?{urlencode({'from': starts - around, 'to': ends + around})}"
    if rule and about.prometheus and name not in found.replay.head.rules.log_alerts:
        query = {
            "g0.expr": rule.expression,
            "g0.tab": 0,
            "g0.range_input": f"{(ends - starts + 2 * around) // SECOND}s",
            "g0.end_input": text(ends + around).replace("T", " ").removesuffix("Z"),
        }
        graph = f"{about.prometheus.rstrip('/')}/graph?{urlencode(query)}"
    return {
        "alert": name,
        "series": _series(found, times[0]),
        "base": _time(found, base),
        "head": _time(found, head),
        "dashboard": dashboard,
        "graph": graph,
    }


def _time(found: Comparison, one: Episode | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {
        "starts": text(one.starts),
        "ends": text(one.ends) if one.ends <= found.replay.until else None,
        "seconds": found.seconds(one),
    }


def _alert(found: Comparison, name: str, one: Difference) -> dict[str, Any]:
    episodes = [found.episodes(side, name) for side in (found.replay.base, found.replay.head)]
    return {
        "rule": how_changed(found, name),
        "episodes": {"base": len(episodes[0]), "head": len(episodes[1])},
        "firing_seconds": {
            side: sum(map(found.seconds, own)) for side, own in zip(("base", "head"), episodes, strict=True)
        },
        **asdict(one),
    }


def _hours(messages: Sequence[Message | None]) -> list[int]:
    counts = [0] * 24
    for one in messages:
        if one and one.firing:
            counts[one.hour] += 1
    return counts


def _message(pair: Pair) -> dict[str, Any]:
    one = pair.any
    return {
        "change": pair.change.value,
        "base_at": text(pair.base.told.at) if pair.base else None,
        "head_at": text(pair.head.told.at) if pair.head else None,
        "later_seconds": pair.later / SECOND if pair.base and pair.head else None,
        "receiver": one.told.receiver,
        "kind": one.told.kind,
        "alerts": list(one.told.names),
        "group": dict(one.told.group),
        "firing": len(one.told.firing),
        "resolved": len(one.told.resolved),
        "page": one.page,
        "night": one.night,
    }
