"""Models of routing.yaml: channels, routes, escalation, mute windows and inhibitions."""

from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, model_validator

from alerting.base import Slug, Strict
from alerting.durations import Duration, PositiveDuration, seconds
from alerting.routing.channels import Channel
from alerting.routing.kinds.base import Form
from alerting.routing.mute_windows import MuteWindow

RETENTION = "120h"
"""Time for which Alertmanager remembers what it has notified. It would repeat a notification after this time at the
latest, whatever `repeat_interval` says."""
Severity = Literal["info", "warning", "critical"]
LabelName = Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")]
# No characters with a meaning in regular expressions, because several values become one expression.
_Value = Annotated[str, Field(pattern=r"^[A-Za-z0-9_/:-]+$")]
Match = Annotated[dict[LabelName, _Value | Annotated[list[_Value], Field(min_length=1)]], Field(min_length=1)]
"""Label -> its required value, or a list of accepted values."""


class Also(Strict):
    """Additional channels for those of a route's alerts that match."""

    match: Match
    channels: Annotated[list[str], Field(min_length=1)]


class Route(Strict):
    """Sends matching alerts to every channel. An omitted time is that of the alert's severity, or else the stack's."""

    match: Match
    channels: Annotated[list[str], Field(min_length=1)]
    also: list[Also] = Field(default_factory=list[Also])
    group_wait: Duration | None = None
    group_interval: PositiveDuration | None = None
    repeat_interval: PositiveDuration | None = None
    """If set, the escalation does not apply to this route."""

    def all_channels(self) -> list[str]:
        """Every channel of the route, those in `also` first."""
        return [name for more in self.also for name in more.channels] + self.channels


class Level(Strict):
    """How often alerts of one severity are repeated, and when they are muted."""

    repeat_interval: PositiveDuration | None = None
    """Default: the stack's."""
    mute: list[str] = Field(default_factory=list[str])
    """Mute windows in which these alerts are not notified; alerts that page are never muted."""


class Inhibition(Strict):
    """While an alert matches `source`, alerts that match `target` and agree in all `equal` labels are not notified.

    Only a page mutes a page, nothing mutes Watchdog, and alerts named in `source` never mute alerts of the same name.
    """

    source: Match
    target: Match
    equal: Annotated[list[LabelName], Field(min_length=1)]
    present: list[LabelName] = Field(default_factory=list[LabelName])
    """Labels of `equal` that the source must have. Otherwise, a label that both sides lack counts as equal."""
    exceptions: dict[LabelName, Annotated[list[_Value], Field(min_length=1)]] = Field(
        default_factory=dict[LabelName, list[_Value]], alias="except"
    )
    """Label -> values; an alert with one of them is never muted."""

    @model_validator(mode="after")
    def _present_labels_are_compared(self) -> "Inhibition":
        for label in self.present:
            if label not in self.equal:
                raise ValueError(f"present: {label} is not allowed; allowed: labels in `equal`")
        return self


class Timing(Strict):
    """A stack's times for grouping and repeating notifications (settings of Alertmanager's root route)."""

    group_wait: Duration
    group_interval: PositiveDuration
    repeat_interval: PositiveDuration


class RoutingFile(Strict):
    """Content of routing.yaml."""

    channels: dict[Slug, Channel]
    default: str
    group_by: Annotated[list[LabelName], Field(min_length=1)]
    routes: list[Route]
    escalation: dict[Severity, Level] = Field(default_factory=dict[Severity, Level])
    mute_windows: dict[Slug, MuteWindow] = Field(default_factory=dict[str, MuteWindow])
    inhibitions: dict[Slug, Inhibition]


class SystemRouting(Strict):
    """The channels and routes in a service team's file, rules/systems/<system>.yaml."""

    channels: dict[Slug, Channel] = Field(default_factory=dict[str, Channel])
    routes: list[Route] = Field(default_factory=list[Route])
    incidents: dict[str, Annotated[list[LabelName], Field(min_length=1)]] = Field(
        default_factory=dict[str, list[LabelName]]
    )
    """Alert -> labels that tell its incidents apart, besides `group_by` of routing.yaml."""


class Incident(NamedTuple):
    """What tells the incidents of one alert apart."""

    system: str
    labels: tuple[str, ...]
    """In addition to `group_by`."""


class Routing(RoutingFile):
    """The merged routing of all files; see alerting.routing.load."""

    places: tuple[str, ...] = ()
    """File and key of each route."""
    incidents: dict[str, Incident] = Field(default_factory=dict[str, Incident])
    """By alert, from the systems' files."""

    def forms(self) -> dict[str, Form]:
        """Config keys that the channels need -> form of the value."""
        return {key: form for channel in self.channels.values() for key, form in channel.kind.keys().items()}

    def secrets(self) -> dict[str, list[str]]:
        """Config keys that the channels need -> names of the channels that need it."""
        needed: dict[str, list[str]] = {}
        for name, channel in self.channels.items():
            for key in channel.kind.secrets():
                needed.setdefault(key, []).append(name)
        return needed

    def timing_problems(self, timing: Timing | None = None) -> list[str]:
        """Routes that would skip every second repetition, one line each.

        With `timing`: routes that take one of the two intervals from the stack. Without: routes that define both.

        Every group_interval, Alertmanager repeats a notification if the last one is older than repeat_interval. It
        records a notification after sending it, so with equal intervals the next check comes slightly too early.
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
        if timing is None:
            problems += [
                f"{place}: repeat_interval {repeat} is not allowed; allowed: at most {RETENTION}, for which "
                "Alertmanager remembers a notification"
                for place, _, repeat in dict.fromkeys(self._paces())
                if repeat and seconds(repeat) > seconds(RETENTION)
            ]
        return problems

    def _paces(self) -> list[tuple[str, str | None, str | None]]:
        """(place, group_interval, repeat_interval) of every route and level that sets one of the two."""
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
    """Whether an alert with these labels matches; a missing label counts as empty."""
    return all(labels.get(label, "") in values(wanted) for label, wanted in match.items())


def values(wanted: str | list[str]) -> list[str]:
    """The accepted values of a label, as a list."""
    return [wanted] if isinstance(wanted, str) else wanted
