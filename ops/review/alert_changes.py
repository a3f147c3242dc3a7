"""Compares alerts: their properties, their receivers before and after, and risks that are easily overlooked."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from alerting import expressions
from alerting.durations import seconds
from alerting.missing_metrics import ALERT as MADE
from alerting.routing import Routing
from ops.review.changes import Action, Change, ChangeKind, Detail, action, compared, details, diff, text
from ops.review.notified import Reach, muters, reach
from ops.review.snapshot import Alert, Rules, Snapshot
from ops.review.threshold_direction import looser

_SEVERITIES = ("info", "warning", "critical")


@dataclass(frozen=True, kw_only=True)
class _Side:
    """One alert of one commit, and its receivers (None if the routes could not be read)."""

    alert: Alert
    reach: Reach | None
    muters: frozenset[tuple[str, str]]


def alert_changes(before: Snapshot, after: Snapshot) -> list[Change]:
    """Alerts whose properties, receivers or muting differ. Both snapshots must have rules."""
    return compared(_sides(before), _sides(after), _change)


def _sides(snapshot: Snapshot) -> dict[str, _Side]:
    rules = cast(Rules, snapshot.rules)
    plain = snapshot.values.plain if snapshot.values else {}
    alerts = rules.deployed()
    labels = {name: alert.labels for name, alert in alerts.items()}
    return {
        name: _Side(
            alert=alert,
            reach=_reach(snapshot.routing, alert, plain),
            muters=frozenset(muters(snapshot.routing, labels, name)) if snapshot.routing else frozenset(),
        )
        for name, alert in alerts.items()
    }


def _reach(routing: Routing | None, alert: Alert, values: Mapping[str, object]) -> Reach | None:
    if routing is None:
        return None
    windows = str(values.get("muteWindows", True)).lower() == "true"
    return reach(routing, alert.labels, repeat=str(values.get("repeatInterval", "")), mute_windows=windows)


def _change(name: str, before: _Side | None, after: _Side | None) -> Change | None:
    side = after or before
    assert side is not None  # noqa: S101 -- at least one side exists
    own: tuple[Detail, ...] = ()
    delivery: tuple[Detail, ...] = ()
    expression = ""
    if before and after:
        own, delivery = tuple(_own(before.alert, after.alert)), tuple(_delivery(before, after))
        expression = _expression(before.alert, after.alert)
        if not (own or delivery or expression):
            return None
    else:
        own = _facts(side)
    rerouted = before and after and not own and not expression
    labels = side.alert.rule.labels
    return Change(
        kind=ChangeKind.ALERT,
        name=name,
        action=Action.REROUTED if rerouted else action(before, after),
        system=labels.system,
        team=labels.team,
        receivers=side.reach.channels if side.reach else (),
        details=(*own, *delivery),
        diff=expression,
        risks=tuple(_risks(before, after)),
    )


def _properties(alert: Alert) -> dict[str, object]:
    rule = alert.rule
    found: dict[str, object] = {
        "severity": rule.labels.severity,
        "page": rule.labels.page,
        "for": rule.for_,
        "keep firing for": rule.keep_firing_for,
        "system": rule.labels.system,
        "team": rule.labels.team,
        "subject": rule.labels.subject,
        "evaluated by": rule.engine,
        **rule.annotations.model_dump(),
    }
    return found | {f"threshold {name}": expressions.number(value) for name, value in alert.thresholds.items()}


def _own(before: Alert, after: Alert) -> Iterator[Detail]:
    for detail in details(_properties(before), _properties(after)):
        threshold = detail.what.startswith("threshold ") and detail.before and detail.after
        stack = " (overridden in this stack)" if threshold and (before.overridden or after.overridden) else ""
        yield Detail(what=detail.what + stack, before=detail.before, after=detail.after)


def _delivery(before: _Side, after: _Side) -> Iterator[Detail]:
    if before.reach and after.reach:
        yield from details(_reach_facts(before.reach), _reach_facts(after.reach))
    yield from (Detail(what="muted by", before=" ".join(pair)) for pair in sorted(before.muters - after.muters))
    yield from (Detail(what="muted by", after=" ".join(pair)) for pair in sorted(after.muters - before.muters))


def _reach_facts(side: Reach) -> dict[str, str]:
    return {
        "notifies": ", ".join(sorted(side.channels)),
        "may notify": ", ".join(sorted(side.possible)),
        "mute windows": ", ".join(sorted(side.mute)),
        "repeated every": side.repeat,
    }


def _expression(before: Alert, after: Alert) -> str:
    """The diff of the expressions; empty if only the values of thresholds that both have differ."""
    both = [(before.thresholds[name], value) for name, value in after.thresholds.items() if name in before.thresholds]
    old = before.rule.expr
    if before.rule.engine == after.rule.engine and len({number for number, _ in both}) == len(both):
        old = expressions.substitute(old, dict(both))
    return diff(before.rule.expr, after.rule.expr) if old.strip() != after.rule.expr.strip() else ""


def _facts(side: _Side) -> tuple[Detail, ...]:
    """The properties to show of an added or removed alert."""
    wanted = ("severity", "page", "for", "summary")
    properties = _properties(side.alert)
    shown = {key: value for key, value in properties.items() if key in wanted or key.startswith("threshold ")}
    return tuple(Detail(what=key, after=text(value)) for key, value in shown.items())


def _risks(before: _Side | None, after: _Side | None) -> Iterator[str]:
    if before is None:
        if after and after.reach and after.reach.by_default:
            yield f"has no route: only the default channel {', '.join(after.reach.channels)} is notified"
        return
    pages = before.alert.rule.labels.page == "true"
    if after is None:
        yield "is removed, and it paged" if pages else "is removed"
        return
    if pages and after.alert.rule.labels.page != "true":
        yield "no longer pages: nobody is woken up"
    yield from _weaker(before.alert, after.alert)
    yield from _lost(before, after)


def _weaker(before: Alert, after: Alert) -> Iterator[str]:
    old, new = before.rule.labels.severity, after.rule.labels.severity
    if _SEVERITIES.index(new) < _SEVERITIES.index(old):
        yield f"is only {new} now, not {old}"
    if seconds(after.rule.for_) > seconds(before.rule.for_):
        yield f"fires later: for {after.rule.for_}, not {before.rule.for_}"
    for name, value in after.thresholds.items():
        was = before.thresholds.get(name)
        if was is None or was == value:
            continue
        shown = f"threshold {name}: {expressions.number(was)} to {expressions.number(value)}"
        less = looser(before.rule.expr, before.rule.engine, was, value)
        if less:
            yield f"is looser: {shown}"
        elif less is None:
            yield f"may be looser (its expression does not show the direction): {shown}"


def _lost(before: _Side, after: _Side) -> Iterator[str]:
    if before.reach and after.reach:
        lost = [name for name in before.reach.channels if name not in after.reach.channels]
        if after.reach.by_default and not before.reach.by_default:
            old, new = (", ".join(side.channels) for side in (before.reach, after.reach))
            yield f"loses all its receivers ({old}): only the default channel {new} is notified"
        elif lost:
            yield f"no longer notifies {', '.join(lost)}"
        if windows := [name for name in after.reach.mute if name not in before.reach.mute]:
            yield f"no longer notifies anyone during {', '.join(windows)}"
    if before.alert.rule.alert != MADE and (new := sorted(after.muters - before.muters)):
        yield f"is now muted while {', '.join(f'{alert} fires ({name})' for name, alert in new[:5])}" + (
            f" and {len(new) - 5} more" if len(new) > 5 else ""
        )
