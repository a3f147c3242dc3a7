"""Determines which channels an alert notifies and what may mute it, from the routes and inhibitions alone.

Only the labels of the rule are known here, not those that series add. Receivers that depend on labels of series are
listed separately from certain ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from alerting.routing import Inhibition, Routing
from alerting.routing.model import Route, matches, values

HEARTBEAT = "Watchdog"
_PAGES = "true"


@dataclass(frozen=True, kw_only=True)
class Reach:
    """The receivers of an alert."""

    channels: tuple[str, ...]
    possible: tuple[str, ...]
    """`channel where label=value`: channels that are notified only for series with certain labels."""
    by_default: bool
    """Whether no route matches, so that only the default channel is notified."""
    mute: tuple[str, ...]
    """Names of the mute windows that apply to the alert."""
    repeat: str
    """Interval after which the notification of a firing alert is repeated; a Prometheus duration."""


def reach(routing: Routing, labels: Mapping[str, str], *, repeat: str, mute_windows: bool) -> Reach:
    """The receivers of an alert with these labels; `repeat` and `mute_windows` are the stack's settings."""
    route = next((route for route in routing.routes if matches(route.match, labels)), None)
    level = routing.escalation.get(labels["severity"])  # pyright: ignore[reportArgumentType] -- a plain text here
    sets_interval = route is not None and route.repeat_interval is not None
    escalated = level if not sets_interval else None
    may_be_muted = labels["page"] != _PAGES and labels["alertname"] != HEARTBEAT and mute_windows
    return Reach(
        channels=routing.channels_for(labels),
        possible=tuple(_possible(routing, labels)),
        by_default=route is None,
        mute=tuple(escalated.mute) if escalated and may_be_muted else (),
        repeat=(route and route.repeat_interval) or (escalated and escalated.repeat_interval) or repeat,
    )


def muters(routing: Routing, alerts: Mapping[str, Mapping[str, str]], name: str) -> set[tuple[str, str]]:
    """Pairs (inhibition, source alert) that can mute the alert `name`, judged by the known labels.

    `alerts` maps the names of all deployed alerts to their labels.
    """
    target = alerts[name]
    return {
        (inhibition_name, source)
        for inhibition_name, inhibition in routing.inhibitions.items()
        if _can_be_muted(inhibition, target)
        for source, labels in alerts.items()
        if source != name and _mutes(inhibition, labels, target)
    }


def _possible(routing: Routing, labels: Mapping[str, str]) -> list[str]:
    """Channels of routes whose match depends on labels of series, up to the first route that certainly matches."""
    found: list[str] = []
    for route in routing.routes:
        unknown = _unknown(route, labels)
        if not unknown and matches(route.match, labels):
            break
        if unknown:
            where = ", ".join(f"{label}={'|'.join(values(route.match[label]))}" for label in unknown)
            found += [f"{channel} where {where}" for channel in route.channels]
    return found


def _unknown(route: Route, labels: Mapping[str, str]) -> list[str]:
    """Labels in a route's match that only series have; empty if the known labels already do not match."""
    known = {label: wanted for label, wanted in route.match.items() if label in labels}
    return [label for label in route.match if label not in labels] if matches(known, labels) else []


def _may_match(match: Mapping[str, str | list[str]], labels: Mapping[str, str]) -> bool:
    return matches({label: wanted for label, wanted in match.items() if label in labels}, labels)


def _can_be_muted(inhibition: Inhibition, target: Mapping[str, str]) -> bool:
    named = values(inhibition.source.get("alertname", []))
    return (
        target["alertname"] != HEARTBEAT and target["alertname"] not in named and _may_match(inhibition.target, target)
    )


def _mutes(inhibition: Inhibition, source: Mapping[str, str], target: Mapping[str, str]) -> bool:
    # Regardless of the file, only a page mutes a page: see alerting/routing/render.py.
    pages = target["page"] != _PAGES or source["page"] == _PAGES
    same = all(source[label] == target[label] for label in inhibition.equal if label in source and label in target)
    return pages and same and _may_match(inhibition.source, source)
