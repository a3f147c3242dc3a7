"""The notification channels in Grafana, for alerts that Grafana itself evaluates.

Paging lives in Prometheus, Loki and Alertmanager. This is the one module that touches Grafana's alerting API, which is
being replaced (its provisioning endpoints are deprecated since Grafana 13).
"""

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict, assert_never

import pulumi
from pulumiverse_grafana import alerting
from pulumiverse_grafana.alerting import NotificationPolicyPolicyArgsDict

from components.grafana import GrafanaServer
from components.grafana_content import content_options
from rules.durations import seconds
from rules.routing import Channel, Route, Routing, Slack, Timing, Webhook

# Both start like Alertmanager's own notifications, so that people and the local receiver read one form.
_TITLE = (
    '[{{ .Status | toUpper }}{{ if eq .Status "firing" }}:{{ len .Alerts.Firing }}{{ end }}] '
    "{{ .CommonLabels.alertname }} ({{ .CommonLabels.severity }})"
)
_TEXT = (
    "{{ range .Alerts }}*{{ .Annotations.summary }}*\n{{ .Annotations.description }}\n{{ .GeneratorURL }}\n{{ end }}"
)


class ContactPointsArgs(TypedDict):
    """Arguments of ContactPoints."""

    routing: Routing
    timing: Timing
    secrets: Mapping[str, str]
    """Config key -> address, for every key that a channel names."""
    server: NotRequired[GrafanaServer | None]
    """The Grafana of this stack, if it has one."""


class ContactPoints(pulumi.ComponentResource):
    """A contact point per channel and the whole notification policy; Grafana has one tree, and this owns it."""

    def __init__(self, name: str, args: ContactPointsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:ContactPoints", name, {}, opts)
        server, routing, timing = args.get("server"), args["routing"], args["timing"]
        points = {
            channel: _contact_point(f"{name}-{channel}", channel, spec, args["secrets"], content_options(self, server))
            for channel, spec in routing.channels.items()
        }
        alerting.NotificationPolicy(
            f"{name}-policy",
            # By the resources' own names: a point that a route uses cannot be deleted, so the tree has to change first.
            contact_point=points[routing.default].name,
            group_bies=["grafana_folder", *routing.group_by],
            group_wait=_duration(timing.group_wait),
            group_interval=_duration(timing.group_interval),
            repeat_interval=_duration(timing.repeat_interval),
            policies=[policy for route in routing.routes for policy in _policies(route, points)],
            opts=content_options(self, server),
        )
        self.register_outputs({"names": list(routing.channels)})


def _contact_point(
    name: str, title: str, channel: Channel, secrets: Mapping[str, str], opts: pulumi.ResourceOptions
) -> alerting.ContactPoint:
    kind = channel.kind
    match kind:
        case Slack():
            return alerting.ContactPoint(
                name,
                name=title,
                slacks=[
                    {
                        "url": pulumi.Output.secret(secrets[kind.url_secret]),
                        "recipient": kind.channel,
                        "title": _TITLE,
                        "text": _TEXT,
                        "disable_resolve_message": not kind.send_resolved,
                    }
                ],
                opts=opts,
            )
        case Webhook():
            return alerting.ContactPoint(
                name,
                name=title,
                webhooks=[
                    {
                        # The provider does not know that this address is a secret; said here it stays one in the state.
                        "url": pulumi.Output.secret(secrets[kind.url_secret]),
                        "http_method": "POST",
                        "disable_resolve_message": not kind.send_resolved,
                    }
                ],
                opts=opts,
            )
        case _:
            assert_never(kind)


def _policies(route: Route, points: Mapping[str, alerting.ContactPoint]) -> Sequence[NotificationPolicyPolicyArgsDict]:
    """One policy per channel, as in Alertmanager: all but the last go on to the next."""
    matchers: list[alerting.NotificationPolicyPolicyMatcherArgsDict] = [
        {"label": label, "match": "=", "value": value}
        if isinstance(value, str)
        else {"label": label, "match": "=~", "value": "|".join(value)}
        for label, value in route.match.items()
    ]
    last = len(route.channels) - 1
    times: NotificationPolicyPolicyArgsDict = {}
    if route.group_wait:
        times["group_wait"] = _duration(route.group_wait)
    if route.group_interval:
        times["group_interval"] = _duration(route.group_interval)
    if route.repeat_interval:
        times["repeat_interval"] = _duration(route.repeat_interval)
    return [
        {"contact_point": points[channel].name, "matchers": matchers, "continue_": index < last, **times}
        for index, channel in enumerate(route.channels)
    ]


def _duration(text: str) -> str:
    """The duration as Grafana gives it back, so that a refresh finds no difference between 90s and 1m30s."""
    rest, found = round(seconds(text) * 1000), ""
    # Unit, milliseconds, and whether Grafana takes it only when nothing is left over.
    for unit, size, whole in (
        ("y", 31_536_000_000, True),
        ("w", 604_800_000, True),
        ("d", 86_400_000, False),
        ("h", 3_600_000, False),
        ("m", 60_000, False),
        ("s", 1000, False),
        ("ms", 1, False),
    ):
        if rest >= size and not (whole and rest % size):
            found += f"{rest // size}{unit}"
            rest %= size
    return found or "0s"
