"""The notification channels in Grafana, for alerts that Grafana itself evaluates.

Paging lives in Prometheus, Loki and Alertmanager. This is the one module that touches Grafana's alerting API, which is
being replaced (its provisioning endpoints are deprecated since Grafana 13).
"""

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict, assert_never

import pulumi
from pulumiverse_grafana import alerting
from pulumiverse_grafana.alerting import NotificationPolicyPolicyArgsDict, NotificationPolicyPolicyPolicyArgsDict

from alerting.durations import seconds
from alerting.routing import Channel, Email, MuteWindow, PagerDuty, Routing, Slack, Timing, Webhook
from alerting.routing.tree import Branch, tree
from components.grafana.content import content_options
from components.grafana.server import GrafanaServer

# All start like Alertmanager's own notifications, so that people and the local receiver read one form.
_TITLE = (
    '[{{ .Status | toUpper }}{{ if eq .Status "firing" }}:{{ len .Alerts.Firing }}{{ end }}] '
    "{{ .CommonLabels.alertname }} ({{ .CommonLabels.severity }})"
)
_TEXT = (
    "{{ range .Alerts }}*{{ .Annotations.summary }}*\n{{ .Annotations.description }}\n{{ .GeneratorURL }}\n{{ end }}"
)
_MAIL = (
    "{{ range .Alerts }}{{ .Annotations.summary }}\n{{ .Annotations.description }}\n"
    "Runbook: {{ .Annotations.runbook_url }}\nQuery: {{ .GeneratorURL }}\nSilence: {{ .SilenceURL }}\n\n{{ end }}"
)


class ContactPointsArgs(TypedDict):
    """Arguments of ContactPoints."""

    routing: Routing
    timing: Timing
    secrets: Mapping[str, str]
    """Config key -> URL, routing key or addresses, for every key that a channel names."""
    pagerduty_url: str
    """Where PagerDuty takes events."""
    mute_windows: bool
    """Whether this stack keeps to the mute windows."""
    server: NotRequired[GrafanaServer | None]
    """The Grafana of this stack, if it has one."""


class ContactPoints(pulumi.ComponentResource):
    """A contact point per channel and the whole notification policy; Grafana has one tree, and this owns it."""

    def __init__(self, name: str, args: ContactPointsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:ContactPoints", name, {}, opts)
        server, routing, timing = args.get("server"), args["routing"], args["timing"]
        points = {
            channel: _contact_point(f"{name}-{channel}", channel, spec, args, content_options(self, server))
            for channel, spec in routing.channels.items()
        }
        mutes = {
            window: _mute_timing(f"{name}-mute-{window}", window, spec, content_options(self, server))
            for window, spec in (routing.mute_windows.items() if args["mute_windows"] else ())
        }
        alerting.NotificationPolicy(
            f"{name}-policy",
            # By the resources' own names: what a route uses cannot be deleted, so the tree has to change first.
            contact_point=points[routing.default].name,
            group_bies=["grafana_folder", *routing.group_by],
            group_wait=_duration(timing.group_wait),
            group_interval=_duration(timing.group_interval),
            repeat_interval=_duration(timing.repeat_interval),
            policies=[
                _policy(branch, points, mutes, routing.default)
                for branch in tree(routing, mute_windows=args["mute_windows"])
            ],
            opts=content_options(self, server),
        )
        self.register_outputs({"names": list(routing.channels)})


def _contact_point(
    name: str, title: str, channel: Channel, args: ContactPointsArgs, opts: pulumi.ResourceOptions
) -> alerting.ContactPoint:
    kind, secrets = channel.kind, args["secrets"]
    quiet = not kind.send_resolved
    match kind:
        case Slack():
            slack: alerting.ContactPointSlackArgsDict = {
                "url": pulumi.Output.secret(secrets[kind.url_secret]),
                "recipient": kind.channel,
                "title": _TITLE,
                "text": _TEXT,
                "disable_resolve_message": quiet,
            }
            return alerting.ContactPoint(name, name=title, slacks=[slack], opts=opts)
        case Webhook():
            webhook: alerting.ContactPointWebhookArgsDict = {
                # The provider does not know that this address is a secret; said here it stays one in the state.
                "url": pulumi.Output.secret(secrets[kind.url_secret]),
                "http_method": "POST",
                "disable_resolve_message": quiet,
            }
            return alerting.ContactPoint(name, name=title, webhooks=[webhook], opts=opts)
        case Email():
            email: alerting.ContactPointEmailArgsDict = {
                "addresses": [mailbox.strip() for mailbox in secrets[kind.to].split(",")],
                "single_email": True,
                "subject": _TITLE,
                "message": _MAIL,
                "disable_resolve_message": quiet,
            }
            return alerting.ContactPoint(name, name=title, emails=[email], opts=opts)
        case PagerDuty():
            pagerduty: alerting.ContactPointPagerdutyArgsDict = {
                "integration_key": pulumi.Output.secret(secrets[kind.routing_key]),
                "url": args["pagerduty_url"],
                "severity": "{{ if .CommonLabels.severity }}{{ .CommonLabels.severity }}{{ else }}error{{ end }}",
                "summary": _TITLE,
                "class_": "{{ .CommonLabels.alertname }}",
                "component": "{{ .CommonLabels.subject }}",
                "group": "{{ .CommonLabels.system }}",
                "details": {"receiver": title, "alertname": "{{ .CommonLabels.alertname }}"},
                "disable_resolve_message": quiet,
            }
            return alerting.ContactPoint(name, name=title, pagerduties=[pagerduty], opts=opts)
        case _:
            assert_never(kind)


def _mute_timing(name: str, title: str, window: MuteWindow, opts: pulumi.ResourceOptions) -> alerting.MuteTiming:
    parts = window.document()
    interval: alerting.MuteTimingIntervalArgsDict = {"location": window.location}
    if window.times:
        interval["times"] = [{"start": one.from_, "end": one.to} for one in window.times]
    if window.weekdays:
        interval["weekdays"] = parts["weekdays"]
    if window.days_of_month:
        interval["days_of_months"] = parts["days_of_month"]
    if window.months:
        interval["months"] = parts["months"]
    if window.years:
        interval["years"] = parts["years"]
    return alerting.MuteTiming(name, name=title, intervals=[interval], opts=opts)


def _policy(
    branch: Branch, points: Mapping[str, alerting.ContactPoint], mutes: Mapping[str, alerting.MuteTiming], default: str
) -> NotificationPolicyPolicyArgsDict:
    channel = branch.channel or default
    policy: NotificationPolicyPolicyArgsDict = {**_inner_policy(branch, points[channel], mutes)}
    below: Sequence[NotificationPolicyPolicyPolicyArgsDict] = [
        _inner_policy(one, points[one.channel or channel], mutes) for one in branch.branches
    ]
    if below:
        policy["policies"] = below
    return policy


def _inner_policy(
    branch: Branch, point: alerting.ContactPoint, mutes: Mapping[str, alerting.MuteTiming]
) -> NotificationPolicyPolicyPolicyArgsDict:
    """What a policy of any depth has."""
    policy: NotificationPolicyPolicyPolicyArgsDict = {
        # Always said, although it may be its parent's: Grafana 9 refuses a policy without.
        "contact_point": point.name,
        "matchers": [{"label": one.label, "match": one.operator, "value": one.value} for one in branch.matchers],
        "continue_": branch.goes_on,
    }
    if "group_wait" in branch.times:
        policy["group_wait"] = _duration(branch.times["group_wait"])
    if "group_interval" in branch.times:
        policy["group_interval"] = _duration(branch.times["group_interval"])
    if "repeat_interval" in branch.times:
        policy["repeat_interval"] = _duration(branch.times["repeat_interval"])
    if branch.mute:
        policy["mute_timings"] = [mutes[name].name for name in branch.mute]
    return policy


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
