"""The routing tree that Alertmanager and Grafana share: one branch per route and receiver."""

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from alerting import crowds
from alerting.routing.model import Route, Routing, values


class Matcher(NamedTuple):
    """A condition on one label."""

    label: str
    operator: Literal["=", "!=", "=~", "!~"]
    value: str

    def __str__(self) -> str:
        return f'{self.label}{self.operator}"{self.value}"'


class Branch(NamedTuple):
    """One route of the tree."""

    channel: str | None
    """None: the parent's channel."""
    matchers: tuple[Matcher, ...]
    goes_on: bool = False
    """Whether an alert also tries the later siblings (Alertmanager's `continue`)."""
    times: Mapping[str, str] = {}
    """group_wait, group_interval and repeat_interval, where they differ from the parent's."""
    group_by: tuple[str, ...] = ()
    """Empty: the parent's."""
    mute: tuple[str, ...] = ()
    """Names of mute windows."""
    branches: "tuple[Branch, ...]" = ()


HEARTBEAT = "Watchdog"
"""The alert that always fires, so that a service outside notices when notifications stop."""
# No file can change this: pages are notified at once, and the heartbeat never stops.
NO_PAGE = Matcher("page", "!=", "true")
NO_HEARTBEAT = Matcher("alertname", "!=", HEARTBEAT)


def tree(routing: Routing, *, mute_windows: bool) -> tuple[Branch, ...]:
    """The branches below the root, whose channel is the default.

    Each branch has one channel, so that a receiver has the name of its channel. The branches of `also` come first, and
    every branch continues except that of the route's last channel. So each channel is notified once, and no alert
    reaches the next route.
    """
    levels = tuple(_levels(routing, mute_windows=mute_windows))
    routes = (branch for route in routing.routes for branch in _route(routing, route, levels))
    return (*routes, *_incidents(routing, {}, levels), *levels)


def matchers(match: Mapping[str, str | list[str]]) -> tuple[Matcher, ...]:
    """A `match` as Alertmanager's matchers."""
    return tuple(
        Matcher(label, "=", wanted) if isinstance(wanted, str) else Matcher(label, "=~", "|".join(values(wanted)))
        for label, wanted in match.items()
    )


def _route(routing: Routing, route: Route, levels: tuple[Branch, ...]) -> Iterator[Branch]:
    own = matchers(route.match)
    times = route.model_dump(include={"group_wait", "group_interval", "repeat_interval"}, exclude_none=True)
    levels = () if route.repeat_interval else levels
    below = (*_incidents(routing, route.match, levels), *levels)
    for part in route.also:
        for name in part.channels:
            yield Branch(name, (*own, *matchers(part.match)), goes_on=True, times=times, branches=below)
    for name in route.channels:
        yield Branch(name, own, goes_on=name != route.channels[-1], times=times, branches=below)


def _incidents(routing: Routing, match: Mapping[str, str | list[str]], levels: tuple[Branch, ...]) -> Iterator[Branch]:
    """A branch for each alert that a route's `match` may take and whose incidents are told apart by further labels."""
    for alert, incident in routing.incidents.items():
        known = {"alertname": alert, "system": incident.system}
        if all(known[label] in values(wanted) for label, wanted in match.items() if label in known):
            group_by = (*routing.group_by, *incident.labels)
            few = (Matcher("alertname", "=", alert), Matcher(crowds.LABEL, "=", ""))
            yield Branch(None, few, group_by=group_by, branches=levels)


def _levels(routing: Routing, *, mute_windows: bool) -> Iterator[Branch]:
    for severity, level in routing.escalation.items():
        same = Matcher("severity", "=", severity)
        times = {"repeat_interval": level.repeat_interval} if level.repeat_interval else {}
        if level.mute and mute_windows:
            yield Branch(None, (same, NO_PAGE, NO_HEARTBEAT), times=times, mute=tuple(level.mute))
        if times:
            yield Branch(None, (same,), times=times)
