"""Replays the rules and routes of two commits over the same recorded time."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import yaml

from alerting import durations, missing_metrics
from alerting.routing import notified
from alerting.routing.tree import HEARTBEAT
from ops.errors import OpsError
from ops.replay import changed, routes, rules
from ops.replay.changed import AlertRule, Changed, Rules
from ops.replay.deployed import Deployed
from ops.replay.episodes import HOUR, MINUTE, SECOND, Episode
from ops.replay.history import History
from ops.replay.routes import Notification
from ops.replay.rules import Cost, Recorded
from settings.apps import PROMETHEUS_RULES

# Read before the time that is compared, so that a long `for` has passed and groups are in the middle of their repeats.
_WARM_UP = 24 * HOUR
_CLOSE = 10 * MINUTE
"""Data that begins or ends within this time of the compared time counts as complete."""


@dataclass(frozen=True, kw_only=True)
class Side:
    """Alerts and notifications that the rules and routes of one commit would have caused."""

    rules: Rules
    episodes: Sequence[Episode]
    """Of all alerts, also those before the compared time."""
    notifications: Sequence[Notification]
    """Also those before the compared time."""


@dataclass(frozen=True, kw_only=True)
class Replay:
    """Two commits over the same time. Times are in milliseconds since 1970."""

    since: int
    """Start of the compared time: what was asked for, or the server's first data."""
    until: int
    base: Side
    head: Side
    changed: Changed
    not_replayed: Mapping[str, str]
    """Alerts that count on neither side, or not with all data -> the reason."""
    notes: Sequence[str]
    """What limits the result as a whole, one sentence each."""
    costs: Sequence[Cost]

    def rule(self, name: str) -> AlertRule | None:
        """The rule of an alert in the head, or in the base if the head has none."""
        return self.head.rules.alerts.get(name) or self.base.rules.alerts.get(name)


def replay(base: Deployed, head: Deployed, url: str, *, since: int, until: int) -> Replay:
    """What both commits would have done. Alerts that both deploy alike are those that the server really raised.

    Raises OpsError if the server has no data of this time, or does not answer.
    """
    server = History(url)
    asked = since
    since, notes = _complete(server, since, until)
    sides = Rules(base), Rules(head)
    found = changed.between(*sides)
    recorded = Recorded(url=url, start=asked - _WARM_UP, until=until, interval=base.interval, folder=PROMETHEUS_RULES)
    raised = [_replayed(side, found, recorded) for side in sides]
    errors = {name: f"cannot be evaluated: {reason}" for one in raised for name, reason in one.errors.items()}
    alike = _heartbeat(sides, found)
    aside = {*found.replayed, *found.left_out, *alike}
    interval = round(durations.seconds(base.interval) * SECOND)
    history = server.raised(recorded, changed.intervals(sides), interval)
    really = [episode for episode in history if episode.name not in aside]
    deployed = sides[0].alerts.keys() | sides[1].alerts.keys()
    unknown = sorted({episode.name for episode in history if episode.ends > since} - deployed - found.left_out.keys())
    reasons = dict.fromkeys(unknown, "fired, and neither commit has its rule")
    return Replay(
        since=since,
        until=until,
        base=_side(sides[0], [*really, *raised[0].episodes], errors, until),
        head=_side(sides[1], [*really, *raised[1].episodes], errors, until),
        changed=found,
        not_replayed={**found.left_out, **alike, **errors, **reasons},
        notes=[*notes, *_gaps(server, sides, found, since, until)],
        costs=[cost for one in raised for cost in one.costs],
    )


def _complete(server: History, since: int, until: int) -> tuple[int, list[str]]:
    """The start of the server's data within the time, and what is missing."""
    present = server.present("up", since, until)
    if present is None:
        raise OpsError("Prometheus has no data of this time: the metric `up` has no sample; allowed: a later --from")
    first, last = present
    notes: list[str] = []
    if first - since > _CLOSE:
        notes.append(f"Prometheus has data only of the last {_days(until - first)}, not of {_days(until - since)}.")
    if until - last > _CLOSE:
        notes.append(f"Prometheus has no data of the last {_days(until - last)}.")
    return (first if first - since > _CLOSE else since), notes


def _heartbeat(sides: tuple[Rules, Rules], found: Changed) -> dict[str, str]:
    """The heartbeat with the reason why it is left out: it would be nearly all messages, and nobody reads them.

    It is replayed if its rule or its routes differ.
    """
    if HEARTBEAT in found.replayed or not all(HEARTBEAT in side.alerts for side in sides):
        return {}
    routed = [
        notified.notifications(
            yaml.safe_load(side.commit.alertmanager),
            {"alertname": HEARTBEAT, **side.commit.labels, **side.alerts[HEARTBEAT].labels},
        )
        for side in sides
    ]
    return {HEARTBEAT: "is the heartbeat, which both send alike"} if routed[0] == routed[1] else {}


def _replayed(side: Rules, found: Changed, recorded: Recorded) -> rules.Raised:
    files = side.only(found.replayed)
    if not files:
        return rules.Raised(episodes=(), costs=())
    own = dataclasses.replace(recorded, interval=side.commit.interval, external_labels=side.commit.labels)
    return rules.raised(files, own)


def _side(side: Rules, episodes: Sequence[Episode], errors: Mapping[str, str], until: int) -> Side:
    counted = [
        dataclasses.replace(episode, labels={**side.commit.labels, **episode.labels})
        for episode in episodes
        # An alert that only the other commit has was replayed with that one's rules.
        if episode.name in side.alerts and episode.name not in errors
    ]
    told = routes.notifications(side.commit.alertmanager, counted, until=until)
    return Side(rules=side, episodes=counted, notifications=told)


def _gaps(server: History, sides: tuple[Rules, Rules], found: Changed, since: int, until: int) -> list[str]:
    """Metrics that replayed alerts read, and that the server has not had all the time."""
    readers: dict[str, set[str]] = {}
    for side in sides:
        for name in found.replayed & side.alerts.keys():
            for metric in missing_metrics.names(side.alerts[name].expression):
                readers.setdefault(metric, set()).add(name)
    notes: list[str] = []
    for metric, names in sorted(readers.items()):
        present = server.present(metric, since, until)
        who = f"{', '.join(sorted(names))}: reads {metric}, of which Prometheus has"
        if present is None:
            notes.append(f"{who} no sample.")
        elif present[0] - since > _CLOSE:
            notes.append(f"{who} only samples of the last {_days(until - present[0])}.")
    return notes


def _days(milliseconds: int) -> str:
    hours = milliseconds / HOUR
    return f"{hours / 24:.1f} days" if hours >= 48 else f"{hours:.1f} hours"
