"""Compares everything except alerts: SLOs, recording rules, routes, dashboards, runbooks, budgets and settings."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from alerting.disruption_budgets import DisruptionBudget
from alerting.durations import seconds
from alerting.model import RecordingRule
from alerting.routing import Channel, Route, Routing
from alerting.routing.model import values
from alerting.slos import Slo
from ops.review import panels
from ops.review.alert_changes import alert_changes
from ops.review.changes import Change, ChangeKind, Detail, action, compared, details, diff, text
from ops.review.snapshot import Rules, Snapshot
from ops.review.stack_values import HIDDEN, StackValues

_RETENTIONS = ("prometheusRetention", "lokiRetention", "jaegerRetention", "logIndexRetention")
# Settings that are compared as alerts and budgets.
_COMPARED_ELSEWHERE = ("alertOverrides", "disruptionBudgets")


def changes(before: Snapshot, after: Snapshot) -> list[Change]:
    """All differences, in the order of a report. Parts that could not be read on one side are left out."""
    found: list[Change] = []
    if before.rules and after.rules:
        found += alert_changes(before, after)
        found += _slos(before.rules, after.rules)
        found += _recordings(before.rules, after.rules)
    if before.routing and after.routing:
        found += _routing(before.routing, after.routing)
    if before.dashboards is not None and after.dashboards is not None:
        systems = tuple(after.rules.rule_set.systems) if after.rules else ()
        found += panels.changes(before.dashboards, after.dashboards, systems)
    found += _runbooks(before.runbooks, after.runbooks)
    if before.rules and after.rules:
        found += compared(_budgets(before), _budgets(after), _budget)
    if before.values and after.values:
        found += _settings(before.values, after.values)
    return found


def _slos(before: Rules, after: Rules) -> list[Change]:
    def change(name: str, old: Slo | None, new: Slo | None) -> Change | None:
        slo = new or old
        if old == new or slo is None:
            return None
        found = details(_slo(old), _slo(new))
        queries = [diff(getattr(old, part, ""), getattr(new, part, "")) for part in ("errors", "total")]
        risks: list[str] = []
        if old and not new:
            risks.append("is removed, with its three alerts")
        elif old and new and new.objective < old.objective:
            risks.append(f"promises less: {text(new.objective)} %, not {text(old.objective)} %")
        return Change(
            kind=ChangeKind.SLO,
            name=name,
            action=action(old, new),
            system=slo.system,
            team=slo.team,
            details=found,
            diff="\n".join(query for query in queries if query) if old and new else "",
            risks=tuple(risks),
        )

    return compared(before.rule_set.slos, after.rule_set.slos, change)


def _slo(slo: Slo | None) -> dict[str, Any]:
    return slo.model_dump(include={"objective", "window", "minimum_errors", "description"}) if slo else {}


def _recordings(before: Rules, after: Rules) -> list[Change]:
    def change(name: str, old: RecordingRule | None, new: RecordingRule | None) -> Change | None:
        if old == new:
            return None
        record = cast(RecordingRule, new or old).record
        alerts = (after if new else before).deployed()
        readers = [alert for alert, one in alerts.items() if record in one.rule.expr]
        risk = [f"is removed, but {', '.join(readers)} read it"] if new is None and _readers(after, record) else []
        return Change(
            kind=ChangeKind.RECORDING,
            name=name,
            action=action(old, new),
            details=(Detail(what="read by", after=", ".join(readers)),) if readers else (),
            diff=diff(old.expr, new.expr) if old and new else "",
            risks=tuple(risk),
        )

    return compared(_recorded(before), _recorded(after), change)


def _readers(rules: Rules, record: str) -> list[str]:
    return [name for name, alert in rules.deployed().items() if record in alert.rule.expr]


def _recorded(rules: Rules) -> dict[str, RecordingRule]:
    return {
        f"{rule.record}{text(rule.labels) if rule.labels else ''}": rule
        # The recording rules of an SLO are reported with it.
        for rule in rules.rule_set.recordings()
        if "slo" not in (rule.labels or {})
    }


def _routing(before: Routing, after: Routing) -> Iterator[Change]:
    yield from compared(_routes(before), _routes(after), _route)
    yield from compared(before.channels, after.channels, lambda name, old, new: _channel(name, old, new, after))
    for kind, old, new in (
        (ChangeKind.MUTE_WINDOW, before.mute_windows, after.mute_windows),
        (ChangeKind.INHIBITION, before.inhibitions, after.inhibitions),
        (ChangeKind.ESCALATION, before.escalation, after.escalation),
    ):
        yield from compared(_dumped(old), _dumped(new), lambda name, a, b, kind=kind: _plain(kind, name, a, b))
    whole = [
        {
            "default": one.default,
            "group_by": one.group_by,
            "incidents": {alert: list(incident.labels) for alert, incident in one.incidents.items()},
        }
        for one in (before, after)
    ]
    if found := details(*whole):
        yield Change(kind=ChangeKind.ROUTE, name="(every alert)", action=action(before, after), details=found)


def _routes(routing: Routing) -> dict[str, tuple[int, Route]]:
    """Maps the match of each route, as text, to its position and the route. Of equal matches only the first is used."""
    found: dict[str, tuple[int, Route]] = {}
    for index, route in enumerate(routing.routes):
        name = ", ".join(f"{label}={'|'.join(values(wanted))}" for label, wanted in route.match.items())
        found.setdefault(name, (index, route))
    return found


def _route(name: str, before: tuple[int, Route] | None, after: tuple[int, Route] | None) -> Change | None:
    old, new = (_route_facts(side[1]) if side else {} for side in (before, after))
    found = details(old, new)
    if not found:
        return None
    route = cast(tuple[int, Route], after or before)[1]
    return Change(
        kind=ChangeKind.ROUTE,
        name=name,
        action=action(before, after),
        receivers=tuple(dict.fromkeys(route.all_channels())),
        details=found,
    )


def _route_facts(route: Route) -> dict[str, Any]:
    facts = route.model_dump(exclude_none=True, exclude={"match"})
    return {**facts, "also": [part.model_dump() for part in route.also]} if route.also else facts


def _channel(name: str, before: Channel | None, after: Channel | None, routing: Routing) -> Change | None:
    if before == after:
        return None
    old, new = (_channel_facts(side) for side in (before, after))
    used = [f"route {index + 1}" for index, route in enumerate(routing.routes) if name in route.all_channels()]
    extra = (Detail(what="used by", after=", ".join(used)),) if used else ()
    return Change(
        kind=ChangeKind.CHANNEL,
        name=name,
        action=action(before, after),
        receivers=(name,),
        details=(*details(old, new), *extra),
    )


def _channel_facts(channel: Channel | None) -> dict[str, Any]:
    """The channel's kind and fields. Secrets are not included: fields contain only the names of their config keys."""
    if channel is None:
        return {}
    return {"kind": type(channel.kind).__name__, **channel.kind.model_dump()}


def _dumped(items: Mapping[Any, Any]) -> dict[str, dict[str, Any]]:
    return {name: item.model_dump(by_alias=True, exclude_defaults=True) for name, item in items.items()}


def _plain(kind: ChangeKind, name: str, before: dict[str, Any] | None, after: dict[str, Any] | None) -> Change | None:
    found = details(before or {}, after or {})
    return Change(kind=kind, name=name, action=action(before, after), details=found) if found else None


def _runbooks(before: Mapping[str, str], after: Mapping[str, str]) -> list[Change]:
    def change(name: str, old: str | None, new: str | None) -> Change | None:
        if old == new:
            return None
        sizes = [str(len(page.splitlines())) if page is not None else "" for page in (old, new)]
        return Change(
            kind=ChangeKind.RUNBOOK,
            name=name,
            action=action(old, new),
            details=(Detail(what="lines", before=sizes[0], after=sizes[1]),),
            risks=("is empty: the on-call engineer finds nothing",) if new is not None and not new.strip() else (),
        )

    return compared(before, after, change)


def _budgets(snapshot: Snapshot) -> dict[str, tuple[DisruptionBudget, bool]]:
    """Maps names to the budget and whether the stack creates it."""
    plain = snapshot.values.plain if snapshot.values else {}
    namespaces = cast(list[str], plain.get("serviceNamespaces") or [])
    simulated = str(plain.get("simulator", "")).lower() == "true"
    budgets = cast(Rules, snapshot.rules).budgets
    return {name: (budget, simulated or budget.namespace in namespaces) for name, budget in budgets.items()}


def _leniency(budget: DisruptionBudget) -> tuple[int, int]:
    return budget.max_unavailable or 0, -(budget.min_available or 0)


def _numbers(budget: DisruptionBudget) -> str:
    if budget.min_available is None:
        return f"maxUnavailable {budget.max_unavailable}"
    return f"minAvailable {budget.min_available}"


def _budget(
    name: str, before: tuple[DisruptionBudget, bool] | None, after: tuple[DisruptionBudget, bool] | None
) -> Change | None:
    old, new = ({**side[0].model_dump(), "created in this stack": side[1]} if side else {} for side in (before, after))
    found = details(old, new)
    if not found:
        return None
    risks: list[str] = []
    if before and after is None:
        risks.append("is removed: a node drain may stop every pod")
    elif before and after and _leniency(after[0]) > _leniency(before[0]):
        risks.append(f"protects less: {_numbers(after[0])}, not {_numbers(before[0])}")
    system = cast(tuple[DisruptionBudget, bool], after or before)[0].system
    return Change(
        kind=ChangeKind.BUDGET,
        name=name,
        action=action(before, after),
        system=system,
        details=found,
        risks=tuple(risks),
    )


def _settings(before: StackValues, after: StackValues) -> Iterator[Change]:
    for key in sorted({*before.plain, *after.plain, *before.encrypted, *after.encrypted} - set(_COMPARED_ELSEWHERE)):
        sides = [side.compared(key) for side in (before, after)]
        exists = [side != (None, None) for side in sides]
        # A key that is new or gone and has only its default does not affect this stack.
        chosen = all(exists) or key in (after if exists[1] else before).own
        if sides[0] == sides[1] or not chosen:
            continue
        old, new = (side.shown(key) if known else "" for side, known in zip((before, after), exists, strict=True))
        if old == new and HIDDEN in (old, new):
            new = f"{HIDDEN}, changed"
        yield Change(
            kind=ChangeKind.SETTING,
            name=key,
            action=action(exists[0] or None, exists[1] or None),
            details=(Detail(what="value", before=old, after=new),),
            risks=tuple(_setting_risks(key, before.plain.get(key), after.plain.get(key))),
        )


def _setting_risks(key: str, before: object, after: object) -> Iterator[str]:
    if key in _RETENTIONS and before and after and seconds(str(after)) < seconds(str(before)):
        yield f"keeps less: data older than {after} is deleted"
    if key == "protect" and str(after).lower() == "false":
        yield "is off: deleting the namespace deletes all volumes"
    if key.endswith("Replicas") and isinstance(before, int) and isinstance(after, int) and after < before:
        yield f"is lower: {after}, not {before}"
