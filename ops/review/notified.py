"""The channels that an alert notifies and what may mute it, for the report of a change.

Only the labels of the rule are known here, not those that series add. Receivers that depend on labels of series are
listed separately from certain ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from alerting.routing import Routing, notified
from alerting.routing.render import configuration, inhibit_rules


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
    config = configuration(routing, mute_windows=mute_windows)
    config["route"]["repeat_interval"] = repeat
    found = notified.notifications(config, labels)
    return Reach(
        channels=tuple(one.channel for one in found),
        possible=tuple(notified.possible(config, labels)),
        by_default=not notified.has_route(config, labels),
        mute=tuple(dict.fromkeys(window for one in found for window in one.mute)),
        repeat=found[0].repeat_interval,  # a route's channels have the same
    )


def muters(routing: Routing, alerts: Mapping[str, Mapping[str, str]], name: str) -> set[tuple[str, str]]:
    """Pairs (inhibition, source alert) that can mute the alert `name`, judged by the known labels.

    `alerts` maps the names of all deployed alerts to their labels.
    """
    return {
        (inhibition_name, source)
        for inhibition_name, inhibition in routing.inhibitions.items()
        for rule in inhibit_rules(inhibition)
        for source, labels in alerts.items()
        if source != name and notified.mutes(rule, labels, alerts[name], from_rules=True)
    }
