"""Whom an alert reaches, and what may keep it quiet: the routing tree and inhibitions, without any server.

Labels that series bring are not known here. What depends on them is told apart from what is certain.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from alerting.routing import Inhibition, Routing
from alerting.routing.model import Route, matches, values

HEARTBEAT = "Watchdog"
_PAGES = "true"


@dataclass(frozen=True, kw_only=True)
class Told:
    """Where an alert goes."""

    channels: tuple[str, ...]
    possible: tuple[str, ...]
    """`channel where label=value`: only for series with labels that are not known here."""
    by_default: bool
    """No route of its own: only the default channel takes it."""
    mute: tuple[str, ...]
    """Names of mute windows that hold for it."""
    repeat: str
    """When a notification that is still true is sent again; a Prometheus duration."""


def told(routing: Routing, labels: Mapping[str, str], *, repeat: str, mute_windows: bool) -> Told:
    """Where an alert with these labels goes; `repeat` and `mute_windows` are the stack's settings."""
    route = next((route for route in routing.routes if matches(route.match, labels)), None)
    level = routing.escalation.get(labels["severity"])  # pyright: ignore[reportArgumentType] -- a plain text here
    own_pace = route is not None and route.repeat_interval is not None
    escalated = level if not own_pace else None
    quiet = labels["page"] != _PAGES and labels["alertname"] != HEARTBEAT and mute_windows
    return Told(
        channels=routing.channels_for(labels),
        possible=tuple(_possible(routing, labels)),
        by_default=route is None,
        mute=tuple(escalated.mute) if escalated and quiet else (),
        repeat=(route and route.repeat_interval) or (escalated and escalated.repeat_interval) or repeat,
    )


def muters(routing: Routing, alerts: Mapping[str, Mapping[str, str]], name: str) -> set[tuple[str, str]]:
    """(inhibition, alert) of everything that can mute the alert `name` while it fires, as far as labels are known.

    `alerts` is name -> labels of all that the stack deploys.
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
    """Channels of routes that match only by labels of the series, up to the first route that certainly matches."""
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
    """Labels of a route's match that only series have; none when the known ones already do not match."""
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
    # Only a page mutes a page, whatever the file says: see alerting/routing/render.py.
    pages = target["page"] != _PAGES or source["page"] == _PAGES
    same = all(source[label] == target[label] for label in inhibition.equal if label in source and label in target)
    return pages and same and _may_match(inhibition.source, source)
