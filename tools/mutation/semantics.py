"""Whether two configurations of Alertmanager differ for any alert; `make mutants` compares it with a real one. Pure."""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from alerting.routing import notified
from alerting.routing.notified import Notification

Config = dict[str, Any]
Labels = Mapping[str, str]
DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")


def inhibited(config: Config, sources: Sequence[Labels], targets: Sequence[Labels]) -> list[bool]:
    """For each target, whether it is muted while the sources fire."""
    found = [False] * len(targets)
    for rule in config["inhibit_rules"]:
        # Only sources with equal labels can mute a target, and comparing each with each takes minutes.
        alike: dict[tuple[str, ...], list[Labels]] = {}
        for source in sources:
            if notified.holds(rule["source_matchers"], source):
                alike.setdefault(_equal(rule, source), []).append(source)
        for number, target in enumerate(targets):
            found[number] |= any(notified.mutes(rule, one, target) for one in alike.get(_equal(rule, target), ()))
    return found


def _equal(rule: Mapping[str, Any], labels: Labels) -> tuple[str, ...]:
    return tuple(labels.get(label, "") for label in rule["equal"])


def silent(config: Config, labels: Labels, instant: str) -> bool:
    """Whether mute windows mute the alert for all receivers at half past the hour `instant`, such as `tuesday 03`."""
    day, hour = instant.split()
    intervals = {one["name"]: one["time_intervals"] for one in config.get("time_intervals") or []}
    return all(
        any(_holds(interval, day, int(hour)) for name in one.mute for interval in intervals[name])
        for one in notified.notifications(config, labels)
    )


def same(config: Config, other: Config) -> bool:
    """Whether both configurations route and mute every possible alert in the same way.

    Tries every value that any matcher names, and one that none names.
    """
    if config.get("time_intervals") != other.get("time_intervals"):
        return False
    if config["route"] != other["route"]:
        labels = _domain([*_of_routes(config), *_of_routes(other)])
        if any(_paths(config, one) != _paths(other, one) for one in labels):
            return False
    rules, others = config["inhibit_rules"], other["inhibit_rules"]
    return rules == others or _same_inhibitions(rules, others)


def _same_inhibitions(rules: Sequence[Any], others: Sequence[Any]) -> bool:
    both = (*rules, *others)
    kinds = _kinds(both)

    def agreeing(source: int, target: int, first: int, last: int) -> set[frozenset[str]]:
        found = {
            frozenset(both[n]["equal"])
            for n in range(first, last)
            if source >> 2 * n & 1 and target >> 2 * n + 1 & 1 and not (target >> 2 * n & 1 and source >> 2 * n + 1 & 1)
        }
        return {one for one in found if not any(less < one for less in found)}

    # Only a rule that the other side lacks can make a difference.
    changed = [n for n, rule in enumerate(both) if rule not in (others if n < len(rules) else rules)]
    return all(
        agreeing(source, target, 0, len(rules)) == agreeing(source, target, len(rules), len(both))
        for n in changed
        for source in kinds
        if source >> 2 * n & 1
        for target in kinds
        if target >> 2 * n + 1 & 1
    )


def _kinds(rules: Sequence[Any]) -> set[int]:
    """The kinds of alerts that the rules distinguish: bit 2n says whether rule n has it as a source, 2n+1 as a target.

    A label that is in a matcher and in `equal` counts as equal whatever its value is, so a difference may be reported
    that no alert shows.
    """
    sides = [rule[side] for rule in rules for side in ("source_matchers", "target_matchers")]
    named = _named([matcher for side in sides for matcher in side])
    # One label after the other, because all combinations of all values are too many.
    found = {(1 << len(sides)) - 1}
    for label, values in named.items():
        masks = {
            sum(
                notified.holds([matcher for matcher in side if notified.parts(matcher)[0] == label], {label: value})
                << bit
                for bit, side in enumerate(sides)
            )
            for value in values
        }
        found = {kind & mask for kind in found for mask in masks}
    return found


def _paths(config: Config, labels: Labels) -> set[Notification]:
    return set(notified.notifications(config, labels))


def _of_routes(config: Config) -> Iterator[str]:
    return notified.matchers({"route": config["route"]})


def _domain(matchers: Sequence[str]) -> list[dict[str, str]]:
    values = _named(matchers)
    return [dict(zip(values, one, strict=True)) for one in itertools.product(*values.values())]


def _named(matchers: Sequence[str]) -> dict[str, dict[str, None]]:
    """For each label, every value that a matcher names, and one that none names."""
    values: dict[str, dict[str, None]] = {}
    for matcher in dict.fromkeys(matchers):
        label, operator, value = notified.parts(matcher)
        if re.search(r"[^\w|-]", value):
            raise ValueError(f"cannot list what the matcher {matcher} matches")
        named = value.split("|") if "~" in operator else [value]
        values.setdefault(label, {"none of them": None}).update(dict.fromkeys(named))
    return values


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
