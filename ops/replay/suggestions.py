"""What would have saved messages: variants of the noisiest alerts, each one replayed, none estimated."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import promql_parser
import yaml

from alerting import durations, expressions
from alerting.files import write_yaml
from ops.replay import evaluation, routes
from ops.replay.changed import AlertRule, Rules
from ops.replay.episodes import Episode
from ops.replay.evaluation import WARM_UP, Sources, Span
from ops.replay.replay import Replay
from ops.replay.routes import Notification

MOST_ALERTS = 3
"""Alerts for which variants are replayed: those with most messages."""
_LONGER = (5 * 60, 15 * 60)
"""Seconds that `for` is longer, and that an alert keeps firing."""
_HIGHER = (1.25, 1.5)
"""Factors of a threshold; a lower bound is divided by them."""
_COMPARISONS = {">": True, ">=": True, "<": False, "<=": False}


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """One variant of one alert, and what it would have saved."""

    alert: str
    change: str
    """Such as `for: 15m`."""
    before: int
    """Messages about the alert, as the head has it."""
    after: int
    all_before: int
    """Messages about all alerts: a page that no longer comes may let others through, which it inhibited."""
    all_after: int
    unheard: int
    """Episodes of the head during which the variant does not fire at all."""
    later: float
    """Seconds by which the variant fires later, on average over the other episodes."""


@dataclass(frozen=True)
class _Variant:
    change: str
    rule: Callable[[dict[str, Any]], None] | None = None
    """Edits the rule."""
    config: str = ""
    """Another alertmanager.yml."""


def suggestions(found: Replay, sources: Sources, *, most: int = MOST_ALERTS) -> list[Suggestion]:
    """The variants that save messages, for each of the noisiest alerts the best one first. Raises OpsError.

    An alert that the server raised, and whose rule does not raise it again from the recorded data, has none.
    """
    rules, told = found.head.rules, _since(found.head.notifications, found.since)
    noise = Counter(name for one in told for name in one.names)
    noisy = [name for name, _ in noise.most_common() if name in rules.alerts and _known(found, sources, name)][:most]
    result: list[Suggestion] = []
    for name in noisy:
        own = [_replayed(found, sources, name, variant, told) for variant in _variants(found, rules.alerts[name], name)]
        result += sorted((one for one in own if one and one.after < one.before), key=lambda one: one.after)
    return result


def _known(found: Replay, sources: Sources, name: str) -> bool:
    """Whether the rule as it is gives the episodes that the server raised: if not, some of its data are missing."""
    if name in found.changed.replayed:
        return True
    really = [one for one in found.head.episodes if one.name == name and one.ends > found.since]
    again = _raised(found, sources, name, lambda _: None)
    return all(any(_overlap(one, other) for other in again or ()) for one in really)


def _replayed(
    found: Replay, sources: Sources, name: str, variant: _Variant, told: Sequence[Notification]
) -> Suggestion | None:
    head, before = found.head, [one for one in found.head.episodes if one.name == name]
    after, config = before, variant.config or head.rules.commit.alertmanager
    if variant.rule:
        raised = _raised(found, sources, name, variant.rule)
        if raised is None:
            return None
        after = raised
    episodes = [*(one for one in head.episodes if one.name != name), *after]
    now = _since(routes.notifications(config, episodes, until=found.until), found.since)
    pairs = [
        (old, next((new for new in after if _overlap(old, new)), None)) for old in before if old.ends > found.since
    ]
    late = [new.starts - old.starts for old, new in pairs if new]
    return Suggestion(
        alert=name,
        change=variant.change,
        before=sum(name in one.names for one in told),
        after=sum(name in one.names for one in now),
        all_before=len(told),
        all_after=len(now),
        unheard=sum(new is None for _, new in pairs),
        later=sum(late) / len(late) / 1000 if late else 0,
    )


def _raised(found: Replay, sources: Sources, name: str, edit: Callable[[dict[str, Any]], None]) -> list[Episode] | None:
    head = found.head.rules
    file = head.alerts[name].place[0]
    document = yaml.safe_load(head.commit.rule_files[file])
    for rule in (rule for group in document["groups"] for rule in group["rules"] if rule.get("alert") == name):
        edit(rule)
    commit = replace(head.commit, rule_files={**head.commit.rule_files, file: write_yaml(document)})
    anew = head.recorded_anew(found.base.rules)
    raised = evaluation.raised(
        Rules(commit), {name}, anew, sources, Span(start=found.since - WARM_UP, until=found.until)
    )
    return None if name in raised.errors else list(raised.episodes)


def _variants(found: Replay, rule: AlertRule, name: str) -> Iterator[_Variant]:
    for key in ("for", "keep_firing_for"):
        for longer in _LONGER:
            value = durations.seconds(rule.rule.get(key, "0s")) + longer
            text = f"{value / 60:g}m" if value % 60 == 0 else f"{value:g}s"
            yield _Variant(f"{key}: {text}", rule=_set(key, text))
    yield from _thresholds(rule.expression)
    yield from _groupings(found, name)


def _set(key: str, value: str) -> Callable[[dict[str, Any]], None]:
    def edit(rule: dict[str, Any]) -> None:
        rule[key] = value

    return edit


def _thresholds(expression: str) -> Iterator[_Variant]:
    for number, upper in _bounds(expression).items():
        for factor in _HIGHER:
            value = number * factor if upper else number / factor
            changed = expressions.substitute(expression, {number: value})
            yield _Variant(f"threshold {number:g} -> {value:g}", rule=_set("expr", changed))


def _bounds(expression: str) -> dict[float, bool]:
    """The numbers that an expression compares with and names once -> whether they are upper bounds."""
    found: dict[float, bool] = {}
    for node in expressions.nodes(expression):
        if isinstance(node, promql_parser.BinaryExpr) and isinstance(node.rhs, promql_parser.NumberLiteral):
            number, upper = node.rhs.val, _COMPARISONS.get(str(node.op))
            if upper is not None and number and expressions.occurrences(expression, number) == 1:
                found[number] = upper
    return found


def _groupings(found: Replay, name: str) -> Iterator[_Variant]:
    """Each label that tells groups of this alert apart, left out of all groups."""
    own = [one for one in found.head.episodes if one.name == name]
    groups = {label for one in found.head.notifications if name in one.names for label in one.group}
    for label in sorted(groups):
        if len({one.labels.get(label, "") for one in own}) > 1:
            config = yaml.safe_load(found.head.rules.commit.alertmanager)
            _ungroup(config["route"], label)
            yield _Variant(f"group without {label}", config=write_yaml(config))


def _ungroup(route: dict[str, Any], label: str) -> None:
    if label in route.get("group_by", ()):
        route["group_by"] = [one for one in route["group_by"] if one != label]
    for below in route.get("routes", ()):
        _ungroup(below, label)


def _since(told: Sequence[Notification], since: int) -> list[Notification]:
    return [one for one in told if one.at >= since]


def _overlap(one: Episode, other: Episode) -> bool:
    return one.starts < other.ends and other.starts < one.ends and one.labels == other.labels
