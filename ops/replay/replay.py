"""Replays the rules and routes of two commits over the same recorded time."""

import dataclasses
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import yaml

from alerting import durations
from alerting.routing import notified
from alerting.routing.tree import HEARTBEAT
from ops.errors import OpsError
from ops.replay import changed, evaluation, routes
from ops.replay.changed import NO_LOGS, AlertRule, Changed, Rules
from ops.replay.deployed import Deployed
from ops.replay.episodes import HOUR, MINUTE, SECOND, Episode
from ops.replay.evaluation import WARM_UP, Sources, Span
from ops.replay.history import History, Lines
from ops.replay.routes import Notification
from ops.replay.rules import Cost, Raised

_CLOSE = 10 * MINUTE
"""Data that begins or ends within this time of the compared time counts as complete."""
STREAMS = re.compile(r'\{(?:[^{}"`]|"(?:\\.|[^"\\])*"|`[^`]*`)*\}')
"""The selectors of streams in an expression of LogQL."""


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
        return self.head.rules.all_alerts.get(name) or self.base.rules.all_alerts.get(name)


def replay(base: Deployed, head: Deployed, sources: Sources, *, since: int, until: int) -> Replay:
    """What both commits would have done. Alerts that both deploy alike are those that the server really raised.

    Raises OpsError if the server has no data of this time, or does not answer.
    """
    server = History(sources.prometheus)
    span = Span(start=since - WARM_UP, until=until)
    since, notes = complete(server, since, until)
    sides = Rules(base), Rules(head)
    found = changed.between(*sides)
    anew = sides[1].recorded_anew(sides[0])
    raised = [
        _raised(side, found, names, sources, span) for side, names in zip(sides, (frozenset(), anew), strict=True)
    ]
    logs = evaluation.raised_by_logs(sides[1], found.log_alerts, sources, span)
    errors = failures([*raised, logs], {**sides[0].all_alerts, **sides[1].all_alerts})
    alike = _heartbeat(sides, found)
    aside = {*found.replayed, *alike}
    interval = round(durations.seconds(base.interval) * SECOND)
    history = server.raised(evaluation.recorded(sides[0], sources, span), changed.intervals(sides), interval)
    really = [*(episode for episode in history if episode.name not in aside), *logs.episodes]
    deployed = sides[0].alerts.keys() | sides[1].alerts.keys()
    unknown = sorted({episode.name for episode in history if episode.ends > since} - deployed)
    log_alerts = sides[0].log_alerts.keys() | sides[1].log_alerts.keys()
    reasons = {
        **dict.fromkeys(unknown, "fired, and neither commit has its rule"),
        **({} if sources.loki else dict.fromkeys(sorted(log_alerts), NO_LOGS)),
    }
    return Replay(
        since=since,
        until=until,
        base=notified_of(sides[0], [*really, *raised[0].episodes], errors, until),
        head=notified_of(sides[1], [*really, *raised[1].episodes], errors, until),
        changed=found,
        not_replayed={**alike, **errors, **reasons},
        notes=[
            *notes,
            *gaps(server, sides, (frozenset(), anew), found.replayed, since, until),
            *(short_logs(sources.loki, sides, since, until) if sources.loki else ()),
        ],
        costs=[cost for one in (*raised, logs) for cost in one.costs],
    )


def complete(server: History, since: int, until: int) -> tuple[int, list[str]]:
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


def _raised(side: Rules, found: Changed, anew: Collection[str], sources: Sources, span: Span) -> Raised:
    return evaluation.together(
        (
            evaluation.raised(side, found.replayed, anew, sources, span),
            evaluation.raised_by_logs(side, found.replayed, sources, span),
        )
    )


def failures(raised: Iterable[Raised], alerts: Collection[str]) -> dict[str, str]:
    """Alerts that cannot be evaluated, with the reason."""
    return {
        name: f"cannot be evaluated: {reason}"
        for one in raised
        for name, reason in one.errors.items()
        if name in alerts
    }


def notified_of(side: Rules, episodes: Sequence[Episode], errors: Collection[str], until: int) -> Side:
    """The notifications of these episodes by a commit's routes.

    Alerts with errors, and those that the commit does not have, do not count.
    """
    counted = [
        dataclasses.replace(episode, labels={**side.commit.labels, **episode.labels})
        for episode in episodes
        # An alert that only the other commit has was replayed with that one's rules.
        if episode.name in side.all_alerts and episode.name not in errors
    ]
    told = routes.notifications(side.commit.alertmanager, counted, until=until)
    return Side(rules=side, episodes=counted, notifications=told)


def gaps(
    server: History,
    sides: Sequence[Rules],
    anew: Sequence[Collection[str]],
    alerts: Collection[str],
    since: int,
    until: int,
) -> list[str]:
    """Metrics that these alerts read, and that the server has not had all the time."""
    readers: dict[str, set[str]] = {}
    for side, names in zip(sides, anew, strict=True):
        for name in side.alerts.keys() & set(alerts):
            for metric in side.metrics(name, names):
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


def short_logs(loki: str, sides: Sequence[Rules], since: int, until: int) -> list[str]:
    """Log streams that alerts read, and that Loki has not had all the time."""
    server = Lines(loki)
    readers: dict[str, set[str]] = {}
    for side in sides:
        for name, rule in side.log_alerts.items():
            for stream in STREAMS.findall(rule.expression):
                readers.setdefault(stream, set()).add(name)
    notes: list[str] = []
    for stream, names in sorted(readers.items()):
        first = server.first(stream, since, until)
        who = f"{', '.join(sorted(names))}: reads {stream}, of which Loki has"
        if first is None:
            notes.append(f"{who} no line.")
        elif first - since > _CLOSE:
            notes.append(f"{who} only lines of the last {_days(until - first)}.")
    return notes


def _days(milliseconds: int) -> str:
    hours = milliseconds / HOUR
    return f"{hours / 24:.1f} days" if hours >= 48 else f"{hours:.1f} hours"
