"""Who is notified of an alert, and what mutes it. Reads a configuration as Alertmanager does; asks no server.

The configuration is that of render.py, or that of a running Alertmanager: what a stack's files say and what a stack
does are answered by the same code. `make mutants` compares it with a real Alertmanager.
"""

import functools
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from alerting.routing.model import Routing
from alerting.routing.render import configuration

Config = Mapping[str, Any]
"""Content of alertmanager.yml."""
Labels = Mapping[str, str]
_MATCHER = re.compile(r'\s*"?(\w+)"?\s*(=~|!~|!=|=)\s*"?(.*?)"?\s*')


class Notification(NamedTuple):
    """One channel that is notified of an alert."""

    channel: str
    group_wait: str
    group_interval: str
    repeat_interval: str
    mute: tuple[str, ...]
    """Names of the mute windows that apply."""


_DEFAULTS = Notification("", group_wait="30s", group_interval="5m", repeat_interval="4h", mute=())
"""Alertmanager's own defaults."""


def channels(routing: Routing, labels: Labels) -> tuple[str, ...]:
    """Names of the channels that are notified of an alert with these labels, in the order of the routes."""
    return tuple(one.channel for one in notifications(configuration(routing), labels))


def notifications(config: Config, labels: Labels) -> tuple[Notification, ...]:
    """The notifications of an alert with these labels, in the order of the routes."""
    return tuple(_walk(config["route"], labels, _DEFAULTS))


def has_route(config: Config, labels: Labels) -> bool:
    """Whether a route matches these labels; if not, only the default channel is notified."""
    return any("receiver" in route and holds(route["matchers"], labels) for route in config["route"]["routes"])


def possible(config: Config, labels: Labels) -> Iterator[str]:
    """`channel where label=value` for each channel that is notified only if an alert's series have certain labels.

    `labels` are those of the alert's rule.
    """
    for route in config["route"]["routes"]:
        if not holds(route["matchers"], labels, unknown=True):
            continue
        unknown = [parts(matcher) for matcher in route["matchers"] if parts(matcher)[0] not in labels]
        if unknown and "receiver" in route:
            yield f"{route['receiver']} where {', '.join(f'{label}={value}' for label, _, value in unknown)}"
        elif not unknown and not route.get("continue"):
            return


def mutes(rule: Mapping[str, Any], source: Labels, target: Labels, *, from_rules: bool = False) -> bool:
    """Whether one alert mutes another by this inhibit rule of Alertmanager.

    With `from_rules`, the labels are those of the alerts' rules: what a label of their series could decide counts as
    decided in favour of muting.
    """
    sources, targets = _sides(rule)
    may, must = (True, False) if from_rules else (None, None)
    return (
        holds(targets, target, unknown=may)
        and holds(sources, source, unknown=may)
        # Two alerts that both match both sides do not mute each other.
        and not (holds(sources, target, unknown=must) and holds(targets, source, unknown=must))
        and all(
            source.get(label, "") == target.get(label, "")
            for label in rule.get("equal") or []
            if not from_rules or (label in source and label in target)
        )
    )


def holds(matchers: Collection[str], labels: Labels, *, unknown: bool | None = None) -> bool:
    """Whether labels match all matchers. A label that is missing counts as empty, or as `unknown` if that is given."""
    named = ((matcher, parts(matcher)[0]) for matcher in matchers)
    return all(
        unknown if unknown is not None and label not in labels else _meets(matcher, labels.get(label, ""))
        for matcher, label in named
    )


def check(config: Config) -> None:
    """Raises ValueError for a matcher that cannot be read; no other function here raises it after that."""
    for matcher in matchers(config):
        parts(matcher)


def matchers(config: Config) -> Iterator[str]:
    """Every matcher of the routes and of the inhibit rules."""
    yield from _of_route(config["route"])
    for rule in config.get("inhibit_rules") or []:
        for side in _sides(rule):
            yield from side


def _sides(rule: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    return rule.get("source_matchers") or [], rule.get("target_matchers") or []


def _of_route(route: Mapping[str, Any]) -> Iterator[str]:
    yield from route.get("matchers") or []
    for child in route.get("routes") or []:
        yield from _of_route(child)


def _walk(route: Mapping[str, Any], labels: Labels, above: Notification) -> list[Notification]:
    """A child route inherits everything except mute windows."""
    own = Notification(
        channel=route.get("receiver", above.channel),
        group_wait=route.get("group_wait", above.group_wait),
        group_interval=route.get("group_interval", above.group_interval),
        repeat_interval=route.get("repeat_interval", above.repeat_interval),
        mute=tuple(route.get("mute_time_intervals") or ()),
    )
    found: list[Notification] = []
    for child in route.get("routes") or []:
        if holds(child.get("matchers") or [], labels):
            found += _walk(child, labels, own)
            if not child.get("continue"):
                break
    return found or [own]


@functools.cache
def parts(matcher: str) -> tuple[str, str, str]:
    """Label, operator and value of a matcher. Raises ValueError if it cannot be read."""
    found = _MATCHER.fullmatch(matcher)
    if not found:
        raise ValueError(f'{matcher!r} is not a matcher that can be read here; allowed: label="value", or !=, =~, !~')
    return found[1], found[2], found[3]


@functools.lru_cache(maxsize=100_000)
def _meets(matcher: str, value: str) -> bool:
    """Whether a label's value meets a matcher; cached, because many alerts and mistakes use the same few."""
    _, operator, wanted = parts(matcher)
    same = re.fullmatch(wanted, value) is not None if "~" in operator else wanted == value
    return same != operator.startswith("!")
