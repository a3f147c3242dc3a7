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


def inhibited(config: Config, sources: Sequence[Labels], target: Labels) -> bool:
    """Whether the target is muted while the sources fire."""
    return any(notified.mutes(rule, source, target) for rule in config["inhibit_rules"] for source in sources)


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
    sides = ("source_matchers", "target_matchers")
    domain = _domain([matcher for rule in (*rules, *others) for side in sides for matcher in rule[side]])
    both = (*rules, *others)
    # Alerts that match the same matchers are of one kind. No label is both in a matcher and in `equal`.
    kinds = {tuple(notified.holds(rule[side], one) for rule in both for side in sides) for one in domain}

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


def _paths(config: Config, labels: Labels) -> set[Notification]:
    return set(notified.notifications(config, labels))


def _of_routes(config: Config) -> Iterator[str]:
    return notified.matchers({"route": config["route"]})


def _domain(matchers: Sequence[str]) -> list[dict[str, str]]:
    values: dict[str, dict[str, None]] = {}
    for matcher in dict.fromkeys(matchers):
        label, operator, value = notified.parts(matcher)
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
