"""The shape of routing.yaml: channels, routes, escalation, mute windows and inhibitions."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from alerting.base import Slug, Strict
from alerting.durations import Duration, PositiveDuration, seconds
from alerting.routing.channels import Channel, Form
from alerting.routing.mute_windows import MuteWindow

Severity = Literal["info", "warning", "critical"]
LabelName = Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")]
# Nothing that means something in a regular expression: several values become one.
_Value = Annotated[str, Field(pattern=r"^[A-Za-z0-9_/:-]+$")]
Match = Annotated[dict[LabelName, _Value | Annotated[list[_Value], Field(min_length=1)]], Field(min_length=1)]
"""Label -> the value, or the values, that it must have."""


class Also(Strict):
    """More channels for those of a route's alerts that match."""

    match: Match
    channels: Annotated[list[str], Field(min_length=1)]


class Route(Strict):
    """Alerts that match go to every channel; times left out are those of their severity, or the stack's."""

    match: Match
    channels: Annotated[list[str], Field(min_length=1)]
    also: list[Also] = Field(default_factory=list[Also])
    group_wait: Duration | None = None
    group_interval: PositiveDuration | None = None
    repeat_interval: PositiveDuration | None = None
    """A route with its own pace takes no part in the escalation."""

    def all_channels(self) -> list[str]:
        """Channels of any of its alerts, those of a part first."""
        return [name for more in self.also for name in more.channels] + self.channels


class Level(Strict):
    """How insistently the alerts of one severity are told."""

    repeat_interval: PositiveDuration | None = None
    """Not set: the stack's."""
    mute: list[str] = Field(default_factory=list[str])
    """Mute windows in which they are not told; never holds for what pages."""


class Inhibition(Strict):
    """While an alert matches `source`, those that match `target` with the same `equal` labels are not notified.

    A page is only ever muted by a page, Watchdog by nothing, and the alert that `source` names never mutes its like.
    """

    source: Match
    target: Match
    equal: Annotated[list[LabelName], Field(min_length=1)]


class Timing(Strict):
    """How long notifications wait for company, in a stack (Alertmanager's route settings)."""

    group_wait: Duration
    group_interval: PositiveDuration
    repeat_interval: PositiveDuration


class RoutingFile(Strict):
    """Everything that routing.yaml says."""

    channels: dict[Slug, Channel]
    default: str
    group_by: Annotated[list[LabelName], Field(min_length=1)]
    routes: list[Route]
    escalation: dict[Severity, Level] = Field(default_factory=dict[Severity, Level])
    mute_windows: dict[Slug, MuteWindow] = Field(default_factory=dict[str, MuteWindow])
    inhibitions: dict[Slug, Inhibition]


class SystemRouting(Strict):
    """The channels and routes that a service team brings in its own file, rules/systems/<system>.yaml."""

    channels: dict[Slug, Channel] = Field(default_factory=dict[str, Channel])
    routes: list[Route] = Field(default_factory=list[Route])


class Routing(RoutingFile):
    """Who is told, of all files; see alerting.routing.load."""

    places: tuple[str, ...] = ()
    """File and key of each route."""

    def forms(self) -> dict[str, Form]:
        """Config key of each value that the channels need -> its form."""
        return {key: form for channel in self.channels.values() for key, form in channel.kind.keys().items()}

    def secrets(self) -> dict[str, list[str]]:
        """Config key of each value that is needed -> the channels that need it."""
        needed: dict[str, list[str]] = {}
        for name, channel in self.channels.items():
            for key in channel.kind.secrets():
                needed.setdefault(key, []).append(name)
        return needed

    def channels_for(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """Names of the channels that an alert with these labels goes to."""
        route = next((route for route in self.routes if matches(route.match, labels)), None)
        if route is None:
            return (self.default,)
        more = (name for part in route.also if matches(part.match, labels) for name in part.channels)
        return (*more, *route.channels)

    def timing_problems(self, timing: Timing | None = None) -> list[str]:
        """Routes that would skip every second repetition, one line each.

        With `timing`, routes that take one of the two intervals from the stack; without, those that have both.

        Alertmanager looks at a group every group_interval, and repeats only what it notified longer ago than
        repeat_interval. A notification is recorded after it was sent, so with equal intervals the next look comes just
        too early.
        """
        problems: list[str] = []
        for place, group_own, repeat_own in self._paces():
            if bool(group_own and repeat_own) is not (timing is None):
                continue
            group = group_own or (timing and timing.group_interval)
            repeat = repeat_own or (timing and timing.repeat_interval)
            if group and repeat and seconds(group) == seconds(repeat):
                stack = "" if timing is None else " (one of them is observability:groupInterval or repeatInterval)"
                problems.append(
                    f"{place}: repeat_interval {repeat} equals group_interval {group}"
                    f"{stack}, so Alertmanager would skip every second repetition; allowed: shorter (repeats every "
                    "group_interval) or longer"
                )
        return problems

    def _paces(self) -> list[tuple[str, str | None, str | None]]:
        """Where, group_interval and repeat_interval of everything that sets one of them."""
        levels = {
            f"rules/routing.yaml: escalation.{severity}": level.repeat_interval
            for severity, level in self.escalation.items()
        }
        found: list[tuple[str, str | None, str | None]] = [
            (place, None, repeat) for place, repeat in levels.items() if repeat
        ]
        for index, route in enumerate(self.routes):
            place = self.places[index] if self.places else f"rules/routing.yaml: routes[{index}]"
            found.append((place, route.group_interval, route.repeat_interval))
            if route.group_interval and not route.repeat_interval:
                found += [(place, route.group_interval, repeat) for repeat in levels.values() if repeat]
        return found


def matches(match: Mapping[str, str | list[str]], labels: Mapping[str, str]) -> bool:
    """Whether an alert with these labels matches."""
    return all(labels.get(label, "") in values(wanted) for label, wanted in match.items())


def values(wanted: str | list[str]) -> list[str]:
    """The values that a label may have."""
    return [wanted] if isinstance(wanted, str) else wanted
