"""Alerts compared: what about them differs, whom they reach before and after, and what is easily overlooked."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from alerting import expressions
from alerting.durations import seconds
from alerting.missing_metrics import ALERT as MADE
from alerting.routing import Routing
from ops.review.changes import Action, Change, Detail, Kind, action, compared, details, diff, text
from ops.review.sense import looser
from ops.review.snapshot import Alert, Rules, Snapshot
from ops.review.told import Told, muters, told

_SEVERITIES = ("info", "warning", "critical")


@dataclass(frozen=True, kw_only=True)
class _Side:
    """One alert of one commit, and whom it reaches; None where the routes could not be read."""

    alert: Alert
    told: Told | None
    muters: frozenset[tuple[str, str]]


def alert_changes(before: Snapshot, after: Snapshot) -> list[Change]:
    """Alerts that differ, or that reach others than before. Needs the rules of both."""
    return compared(_sides(before), _sides(after), _change)


def _sides(snapshot: Snapshot) -> dict[str, _Side]:
    rules = cast(Rules, snapshot.rules)
    plain = snapshot.values.plain if snapshot.values else {}
    alerts = rules.deployed()
    labels = {name: alert.labels for name, alert in alerts.items()}
    return {
        name: _Side(
            alert=alert,
            told=_told(snapshot.routing, alert, plain),
            muters=frozenset(muters(snapshot.routing, labels, name)) if snapshot.routing else frozenset(),
        )
        for name, alert in alerts.items()
    }


def _told(routing: Routing | None, alert: Alert, values: Mapping[str, object]) -> Told | None:
    if routing is None:
        return None
    windows = str(values.get("muteWindows", True)).lower() == "true"
    return told(routing, alert.labels, repeat=str(values.get("repeatInterval", "")), mute_windows=windows)


def _change(name: str, before: _Side | None, after: _Side | None) -> Change | None:
    side = after or before
    assert side is not None  # noqa: S101 -- of two sides one is there
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
        kind=Kind.ALERT,
        name=name,
        action=Action.REROUTED if rerouted else action(before, after),
        system=labels.system,
        team=labels.team,
        receivers=side.told.channels if side.told else (),
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
        stack = " (this stack's own)" if threshold and (before.overridden or after.overridden) else ""
        yield Detail(what=detail.what + stack, before=detail.before, after=detail.after)


def _delivery(before: _Side, after: _Side) -> Iterator[Detail]:
    if before.told and after.told:
        yield from details(_reach(before.told), _reach(after.told))
    yield from (Detail(what="muted by", before=" ".join(pair)) for pair in sorted(before.muters - after.muters))
    yield from (Detail(what="muted by", after=" ".join(pair)) for pair in sorted(after.muters - before.muters))


def _reach(told: Told) -> dict[str, str]:
    return {
        "told": ", ".join(sorted(told.channels)),
        "perhaps told": ", ".join(sorted(told.possible)),
        "mute windows": ", ".join(sorted(told.mute)),
        "repeated every": told.repeat,
    }


def _expression(before: Alert, after: Alert) -> str:
    """The expressions' diff; a number that is a threshold of both is no difference."""
    both = [(before.thresholds[name], value) for name, value in after.thresholds.items() if name in before.thresholds]
    old = before.rule.expr
    if before.rule.engine == after.rule.engine and len({number for number, _ in both}) == len(both):
        old = expressions.substitute(old, dict(both))
    return diff(before.rule.expr, after.rule.expr) if old.strip() != after.rule.expr.strip() else ""


def _facts(side: _Side) -> tuple[Detail, ...]:
    """What a reader wants to know of an alert that is new, or gone."""
    wanted = ("severity", "page", "for", "summary")
    properties = _properties(side.alert)
    shown = {key: value for key, value in properties.items() if key in wanted or key.startswith("threshold ")}
    return tuple(Detail(what=key, after=text(value)) for key, value in shown.items())


def _risks(before: _Side | None, after: _Side | None) -> Iterator[str]:
    if before is None:
        if after and after.told and after.told.by_default:
            yield f"has no route: only the default channel {', '.join(after.told.channels)} is told"
        return
    pages = before.alert.rule.labels.page == "true"
    if after is None:
        yield "is gone, and it paged" if pages else "is gone"
        return
    if pages and after.alert.rule.labels.page != "true":
        yield "loses its page: nobody is woken any more"
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
            yield f"may be looser, which its expression does not tell: {shown}"


def _lost(before: _Side, after: _Side) -> Iterator[str]:
    if before.told and after.told:
        lost = [name for name in before.told.channels if name not in after.told.channels]
        if after.told.by_default and not before.told.by_default:
            were, told = (", ".join(side.channels) for side in (before.told, after.told))
            yield f"loses all its receivers ({were}): only the default channel {told} is told"
        elif lost:
            yield f"is no longer told to {', '.join(lost)}"
        if new := [name for name in after.told.mute if name not in before.told.mute]:
            yield f"is not told during {', '.join(new)} any more"
    if before.alert.rule.alert != MADE and (new := sorted(after.muters - before.muters)):
        yield f"is muted now while {', '.join(f'{alert} fires ({name})' for name, alert in new[:5])}" + (
            f" and {len(new) - 5} more" if len(new) > 5 else ""
        )
