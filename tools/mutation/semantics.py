"""A fast model of how Alertmanager routes and mutes alerts; `make mutants` compares it with a real one. Pure."""

import functools
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ops.drills import plan

Config = dict[str, Any]
Labels = Mapping[str, str]
DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"(.*)"')


@functools.cache
def _parts(matcher: str) -> tuple[str, str, str]:
    """Label, operator and value of a matcher."""
    found = _MATCHER.fullmatch(matcher)
    if not found:
        raise ValueError(f"cannot read the matcher {matcher}")
    return found[1], found[2], found[3]


@functools.cache
def _meets(matcher: str, value: str) -> bool:
    return plan.matched([matcher], {_parts(matcher)[0]: value})


def matched(matchers: Sequence[str], labels: Labels) -> bool:
    """Whether labels match all matchers; cached, because thousands of mistakes use the same few matchers."""
    return all(_meets(matcher, labels.get(_parts(matcher)[0], "")) for matcher in matchers)


class Leaf(NamedTuple):
    """A route that matches an alert."""

    receiver: str
    mute: tuple[str, ...]
    repeat: str


def leaves(route: Mapping[str, Any], labels: Labels, above: Leaf | None = None) -> list[Leaf]:
    """The routes that match an alert; child routes inherit everything except mute windows."""
    above = above or Leaf("", (), "")
    own = Leaf(
        str(route.get("receiver", above.receiver)),
        tuple(route.get("mute_time_intervals") or ()),
        str(route.get("repeat_interval", above.repeat)),
    )
    found: list[Leaf] = []
    for child in route.get("routes") or []:
        if matched(child.get("matchers") or [], labels):
            found += leaves(child, labels, own)
            if not child.get("continue"):
                break
    return found or [own]


def receivers(config: Config, labels: Labels) -> set[str]:
    """The receivers that are notified of an alert with these labels."""
    return {leaf.receiver for leaf in leaves(config["route"], labels)}


def inhibited(config: Config, sources: Sequence[Labels], target: Labels) -> bool:
    """Whether the target is muted while the sources fire."""
    return any(
        matched(rule["source_matchers"], source)
        # An alert that matches both sides is not muted by another that matches both sides.
        and not (matched(rule["source_matchers"], target) and matched(rule["target_matchers"], source))
        for rule in config["inhibit_rules"]
        if matched(rule["target_matchers"], target)
        for source in sources
        if all(source.get(label, "") == target.get(label, "") for label in rule["equal"])
    )


def silent(config: Config, labels: Labels, instant: str) -> bool:
    """Whether mute windows mute the alert for all receivers at half past the hour `instant`, such as `tuesday 03`."""
    day, hour = instant.split()
    intervals = {one["name"]: one["time_intervals"] for one in config.get("time_intervals") or []}
    return all(
        any(_holds(interval, day, int(hour)) for name in leaf.mute for interval in intervals[name])
        for leaf in leaves(config["route"], labels)
    )


def same(config: Config, other: Config) -> bool:
    """Whether both configurations route and mute every possible alert in the same way.

    Tries every value that any matcher names, and one that none names.
    """
    if config.get("time_intervals") != other.get("time_intervals"):
        return False
    if config["route"] != other["route"]:
        labels = _domain([*_matchers(config["route"]), *_matchers(other["route"])])
        if any(_paths(config, one) != _paths(other, one) for one in labels):
            return False
    rules, others = config["inhibit_rules"], other["inhibit_rules"]
    return rules == others or _same_inhibitions(rules, others)


def _same_inhibitions(rules: Sequence[Any], others: Sequence[Any]) -> bool:
    sides = ("source_matchers", "target_matchers")
    domain = _domain([matcher for rule in (*rules, *others) for side in sides for matcher in rule[side]])
    both = (*rules, *others)
    # Alerts that match the same matchers are of one kind. No label is both in a matcher and in `equal`.
    kinds = {tuple(matched(rule[side], one) for rule in both for side in sides) for one in domain}

    def agreeing(kind: tuple[bool, ...], target: tuple[bool, ...], first: int, last: int) -> set[frozenset[str]]:
        found = {
            frozenset(both[n]["equal"])
            for n in range(first, last)
            if kind[2 * n] and target[2 * n + 1] and not (target[2 * n] and kind[2 * n + 1])
        }
        return {one for one in found if not any(less < one for less in found)}

    return all(
        agreeing(source, target, 0, len(rules)) == agreeing(source, target, len(rules), len(both))
        for source in kinds
        for target in kinds
    )


def _paths(config: Config, labels: Labels) -> set[Leaf]:
    return set(leaves(config["route"], labels))


def _matchers(route: Mapping[str, Any]) -> Iterator[str]:
    yield from route.get("matchers") or []
    for child in route.get("routes") or []:
        yield from _matchers(child)


def _domain(matchers: Sequence[str]) -> list[dict[str, str]]:
    values: dict[str, dict[str, None]] = {}
    for matcher in dict.fromkeys(matchers):
        label, operator, value = _parts(matcher)
        if re.search(r"[^\w|-]", value):
            raise ValueError(f"cannot list what the matcher {matcher} matches")
        named = value.split("|") if "~" in operator else [value]
        values.setdefault(label, {"none of them": None}).update(dict.fromkeys(named))
    return [dict(zip(values, one, strict=True)) for one in itertools.product(*values.values())]


def _holds(interval: Mapping[str, Any], day: str, hour: int) -> bool:
    """Whether a time interval with times and weekdays includes half past the hour."""
    at = f"{hour:02}:30"
    if "weekdays" in interval:
        days = [str(item).partition(":") for item in interval["weekdays"]]
        spans = [(DAYS.index(first), DAYS.index(last or first)) for first, _, last in days]
        if not any(first <= DAYS.index(day) <= last for first, last in spans):
            return False
    times = interval.get("times")
    return times is None or any(one["start_time"] <= at < one["end_time"] for one in times)
