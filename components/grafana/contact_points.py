"""The notification channels in Grafana, for alerts that Grafana itself evaluates.

Prometheus, Loki and Alertmanager do the paging. No other module uses Grafana's alerting API, which is being replaced
(its provisioning endpoints are deprecated since Grafana 13).
"""

from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

import pulumi
from pulumiverse_grafana import alerting
from pulumiverse_grafana.alerting import (
    NotificationPolicyPolicyArgsDict,
    NotificationPolicyPolicyPolicyArgsDict,
    NotificationPolicyPolicyPolicyPolicyArgsDict,
)

from alerting.durations import seconds
from alerting.routing import Channel, MuteWindow, Routing, Timing
from alerting.routing.tree import Branch, tree
from components.grafana.content import content_options
from components.grafana.server import GrafanaServer


class ContactPointsArgs(TypedDict):
    """Arguments of ContactPoints."""

    routing: Routing
    timing: Timing
    secrets: Mapping[str, str]
    """Config key -> URL, routing key or addresses, for every key that a channel names."""
    pagerduty_url: str
    """URL of PagerDuty's Events API."""
    mute_windows: bool
    """Whether this stack applies the mute windows."""
    server: NotRequired[GrafanaServer | None]
    """The Grafana server of this stack, if it runs one."""


class ContactPoints(pulumi.ComponentResource):
    """A contact point for each channel, and Grafana's notification policy. It owns the entire policy tree."""

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
            # Refers to outputs of the contact points. Grafana refuses to delete a contact point that is in use, so the
            # tree must be updated first.
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
    point = channel.kind.contact_point(title, args["secrets"], pagerduty_url=args["pagerduty_url"])
    settings = {
        key: pulumi.Output.secret(value) if key in point.secret else value for key, value in point.settings.items()
    }
    integration: Any = {point.integration: [settings]}
    return alerting.ContactPoint(name, name=title, **integration, opts=opts)


def _mute_timing(name: str, title: str, window: MuteWindow, opts: pulumi.ResourceOptions) -> alerting.MuteTiming:
    parts = window.document()
    interval: alerting.MuteTimingIntervalArgsDict = {"location": window.location}
    if window.times:
        interval["times"] = [{"start": times.from_, "end": times.to} for times in window.times]
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
    children: list[NotificationPolicyPolicyPolicyArgsDict] = []
    for child in branch.branches:
        point = points[child.channel or channel]
        below = [_inner_policy(level, point, mutes) for level in child.branches]
        inner: NotificationPolicyPolicyPolicyArgsDict = {**_inner_policy(child, point, mutes)}
        if below:
            inner["policies"] = below
        children.append(inner)
    if children:
        policy["policies"] = children
    return policy


def _inner_policy(
    branch: Branch, point: alerting.ContactPoint, mutes: Mapping[str, alerting.MuteTiming]
) -> NotificationPolicyPolicyPolicyPolicyArgsDict:
    """The part of a policy that is the same at any depth."""
    policy: NotificationPolicyPolicyPolicyPolicyArgsDict = {
        # Set even if it equals the parent's, because Grafana 9 rejects a policy without a contact point.
        "contact_point": point.name,
        "matchers": [
            {"label": matcher.label, "match": matcher.operator, "value": matcher.value} for matcher in branch.matchers
        ],
        "continue_": branch.goes_on,
    }
    if branch.group_by:
        policy["group_bies"] = ["grafana_folder", *branch.group_by]
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
    """Formats a duration in Grafana's way, so that a refresh finds no difference between 90s and 1m30s."""
    rest, formatted = round(seconds(text) * 1000), ""
    # Unit, its milliseconds, and whether Grafana uses it only if it divides the rest evenly.
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
            formatted += f"{rest // size}{unit}"
            rest %= size
    return formatted or "0s"
