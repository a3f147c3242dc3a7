"""Who is told: channels, routes and inhibitions of routing.yaml, checked and rendered for Alertmanager.

One typed channel renders to one Alertmanager receiver. A new kind of channel is a class with `secrets` and
`receiver`, and a field of Channel.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, model_validator

from rules.durations import Duration, PositiveDuration, seconds
from rules.loader import RULES, read_yaml, write_yaml
from rules.model import Document, Slug, Strict
from rules.problems import RulesError, closest, describe

SecretKey = Annotated[str, Field(pattern=r"^[a-z][A-Za-z0-9]*$")]
"""Config key of this project that holds a secret."""

# The local receiver, and whoever reads a phone's lock screen, take status and alert from the title's start.
_SLACK_TITLE = (
    '[{{ .Status | toUpper }}{{ if eq .Status "firing" }}:{{ .Alerts.Firing | len }}{{ end }}] '
    "{{ .CommonLabels.alertname }} ({{ .CommonLabels.severity }}, {{ .CommonLabels.cluster }})"
)
_SLACK_TEXT = """{{ range .Alerts -}}
*{{ .Annotations.summary }}*
{{ .Annotations.description }}
<{{ .Annotations.runbook_url }}|Runbook> · <{{ .Annotations.dashboard_url }}|Dashboard> · <{{ .GeneratorURL }}|Query>
{{ end -}}
<{{ .ExternalURL }}/#/alerts?receiver={{ .Receiver | urlquery }}|Alerts and silences>"""


class Slack(Strict):
    """A Slack channel, told by an incoming webhook."""

    channel: Annotated[str, Field(pattern=r"^#[a-z0-9_-]+$")]
    url_secret: SecretKey
    send_resolved: bool = True

    def secrets(self) -> tuple[str, ...]:
        """Config keys that this channel needs."""
        return (self.url_secret,)

    def receiver(self, secrets: Mapping[str, str]) -> Document:
        """The part of an Alertmanager receiver that tells this channel."""
        slack: Document = {
            "api_url": secrets[self.url_secret],
            "channel": self.channel,
            "send_resolved": self.send_resolved,
            "color": '{{ if eq .Status "firing" }}{{ if eq .CommonLabels.severity "critical" }}danger'
            "{{ else }}warning{{ end }}{{ else }}good{{ end }}",
            "title": _SLACK_TITLE,
            "title_link": "{{ .CommonAnnotations.runbook_url }}",
            "text": _SLACK_TEXT,
            "fallback": _SLACK_TITLE,
        }
        return {"slack_configs": [slack]}


class Webhook(Strict):
    """Anything that takes Alertmanager's own JSON."""

    url_secret: SecretKey
    send_resolved: bool = True

    def secrets(self) -> tuple[str, ...]:
        """Config keys that this channel needs."""
        return (self.url_secret,)

    def receiver(self, secrets: Mapping[str, str]) -> Document:
        """The part of an Alertmanager receiver that tells this channel."""
        return {"webhook_configs": [{"url": secrets[self.url_secret], "send_resolved": self.send_resolved}]}


class Channel(Strict):
    """A place where a person, or a program, is told. Exactly one kind is set."""

    slack: Slack | None = None
    webhook: Webhook | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> "Channel":
        if len(self._kinds()) != 1:
            raise ValueError(f"needs exactly one of {', '.join(type(self).model_fields)}")
        return self

    def _kinds(self) -> list[Slack | Webhook]:
        return [kind for kind in (self.slack, self.webhook) if kind is not None]

    @property
    def kind(self) -> Slack | Webhook:
        """The one kind that is set."""
        return self._kinds()[0]


Match = Annotated[dict[str, str | list[str]], Field(min_length=1)]
"""Label -> the value, or the values, that it must have."""


class Route(Strict):
    """Alerts that match go to every channel; times left out are the stack's."""

    match: Match
    channels: Annotated[list[str], Field(min_length=1)]
    group_wait: Duration | None = None
    group_interval: PositiveDuration | None = None
    repeat_interval: PositiveDuration | None = None


class Inhibition(Strict):
    """While an alert matches `source`, those that match `target` with the same `equal` labels are not notified."""

    source: Match
    target: Match
    equal: Annotated[list[str], Field(min_length=1)]


class Routing(Strict):
    """Everything routing.yaml says; see load."""

    channels: dict[Slug, Channel]
    default: str
    group_by: Annotated[list[str], Field(min_length=1)]
    routes: list[Route]
    inhibitions: list[Inhibition]

    def secrets(self) -> dict[str, list[str]]:
        """Config key of each secret that is needed -> the channels that need it."""
        needed: dict[str, list[str]] = {}
        for name, channel in self.channels.items():
            for key in channel.kind.secrets():
                needed.setdefault(key, []).append(name)
        return needed

    def channels_for(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """Names of the channels that an alert with these labels goes to."""
        return next((tuple(route.channels) for route in self.routes if _matches(route.match, labels)), (self.default,))

    def timing_problems(self, timing: "Timing | None" = None) -> list[str]:
        """Routes that would skip every second repetition, one line each.

        With `timing`, routes that take one of the two intervals from the stack; without, those that have both.

        Alertmanager looks at a group every group_interval, and repeats only what it notified longer ago than
        repeat_interval. A notification is recorded after it was sent, so with equal intervals the next look comes just
        too early.
        """
        problems: list[str] = []
        for index, route in enumerate(self.routes):
            own = (route.group_interval, route.repeat_interval)
            if all(own) is not (timing is None):
                continue
            group = route.group_interval or (timing and timing.group_interval)
            repeat = route.repeat_interval or (timing and timing.repeat_interval)
            if group and repeat and seconds(group) == seconds(repeat):
                stack = "" if timing is None else " (one of them is observability:groupInterval or repeatInterval)"
                problems.append(
                    f"rules/routing.yaml: routes[{index}]: repeat_interval {repeat} equals group_interval {group}"
                    f"{stack}, so Alertmanager would skip every second repetition; allowed: shorter (repeats every "
                    "group_interval) or longer"
                )
        return problems


class Timing(Strict):
    """How long notifications wait for company, in a stack (Alertmanager's route settings)."""

    group_wait: Duration
    group_interval: PositiveDuration
    repeat_interval: PositiveDuration


def load(folder: Path = RULES) -> Routing:
    """What `folder`/routing.yaml says. Raises RulesError with every problem found."""
    where = "rules/routing.yaml"
    try:
        routing = Routing.model_validate(read_yaml(folder / "routing.yaml", where))
    except ValidationError as error:
        raise RulesError(describe(error, where)) from error
    named = [("default", routing.default)] + [
        (f"routes[{index}].channels", name) for index, route in enumerate(routing.routes) for name in route.channels
    ]
    known = tuple(routing.channels)
    problems = [
        f"{where}: {key}: no channel {name!r}; {closest(name, known)}" for key, name in named if name not in known
    ]
    used = {name for _, name in named}
    problems += [f"{where}: channels.{name}: no route leads to it" for name in known if name not in used]
    problems += routing.timing_problems()
    if problems:
        raise RulesError(problems)
    return routing


def render(routing: Routing, timing: Timing, secrets: Mapping[str, str]) -> str:
    """alertmanager.yml for one stack. It contains `secrets` in plain text, so the result is one, too."""
    document: Document = {
        "route": {
            "receiver": routing.default,
            "group_by": routing.group_by,
            **timing.model_dump(),
            "routes": [rendered for route in routing.routes for rendered in _routes(route)],
        },
        "inhibit_rules": [
            {
                "source_matchers": _matchers(inhibition.source),
                # Whatever else happens: the heartbeat goes on.
                "target_matchers": [*_matchers(inhibition.target), 'alertname!="Watchdog"'],
                "equal": inhibition.equal,
            }
            for inhibition in routing.inhibitions
        ],
        "receivers": [{"name": name, **channel.kind.receiver(secrets)} for name, channel in routing.channels.items()],
    }
    return write_yaml(document)


def _routes(route: Route) -> list[dict[str, Any]]:
    """One Alertmanager route per channel, so that a receiver has the name of its channel; all but the last go on."""
    times = route.model_dump(include={"group_wait", "group_interval", "repeat_interval"}, exclude_none=True)
    last = len(route.channels) - 1
    return [
        {"receiver": name, "matchers": _matchers(route.match), "continue": index < last, **times}
        for index, name in enumerate(route.channels)
    ]


def _matchers(match: Mapping[str, str | list[str]]) -> list[str]:
    return [
        f'{label}="{value}"' if isinstance(value, str) else f'{label}=~"{"|".join(value)}"'
        for label, value in match.items()
    ]


def _matches(match: Mapping[str, str | list[str]], labels: Mapping[str, str]) -> bool:
    return all(
        labels.get(label, "") in ([value] if isinstance(value, str) else value) for label, value in match.items()
    )
