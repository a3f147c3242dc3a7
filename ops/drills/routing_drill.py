"""Drills only the routing: sends synthetic alerts to an Alertmanager of a stack whose workloads must not be disturbed.

Alerts that would mute each other are sent in separate batches.
"""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table

from alerting.routing import notified
from ops.clients.signals import Alertmanager, Delivery, Receiver
from ops.drills.deployed import ALWAYS_FIRES, Content
from ops.drills.plan import AlertPlan, Waits, group_times
from ops.errors import OpsError

TICK = 0.5
LEEWAY = 30.0
"""Seconds beyond group_wait and group_interval after which a notification counts as missing."""


@dataclass(frozen=True, kw_only=True)
class _Held:
    """Alertmanager's status of an alert that it holds."""

    receivers: frozenset[str]
    muted: tuple[str, ...] = ()
    """Time windows that mute its notifications."""
    suppressed_by: tuple[str, ...] = ()
    """Silences and inhibiting alerts."""


@dataclass(kw_only=True)
class _Outcome:
    """The alerts' status and deliveries so far; deliveries are None if there is no receiver to check."""

    held: dict[str, _Held] = field(default_factory=dict[str, _Held])
    fired: dict[str, set[str]] | None = None
    resolved: dict[str, set[str]] | None = None


def run(console: Console, files: Content, names: Sequence[str], alertmanager_url: str, receiver_url: str | None) -> int:
    """Post one alert per name, compare its receivers, and end it. Returns the exit code.

    The alerts have the labels that the stack gives them. Alerts that the stack disables are left out, and so is the
    heartbeat: a synthetic one would feed the dead man's switch. Raises OpsError.
    """
    disabled = [name for name in names if not files.enabled(name)]
    chosen = [name for name in names if name not in disabled and name != ALWAYS_FIRES]
    if not chosen:
        why = f"the stack's alertOverrides disable {', '.join(disabled)}" if disabled else f"{ALWAYS_FIRES} is left out"
        raise OpsError(f"nothing to drill: {why}")
    alertmanager = Alertmanager(alertmanager_url)
    receiver = Receiver(receiver_url) if receiver_url else None
    config = alertmanager.config()
    groups = batches(_plans(files, chosen, config), config.get("inhibit_rules") or [])
    console.print(
        f"routing only: {len(chosen)} synthetic alerts (drill=true) in {len(groups)} batches to {alertmanager.url}"
    )
    if disabled:
        console.print(f"left out, because the stack disables them: {', '.join(disabled)}")
    if ALWAYS_FIRES in names:
        console.print(f"left out: {ALWAYS_FIRES}; a synthetic heartbeat would feed the dead man's switch.")
    failed = 0
    table = Table(title="Routing only")
    for column in ("alert", "expected", "Alertmanager's receivers", "delivered", "resolved", "verdict"):
        table.add_column(column, overflow="fold")
    for number, plans in enumerate(groups, start=1):
        console.print(f"batch {number} of {len(groups)}: {len(plans)} alerts")
        outcome = _drill(files, plans, alertmanager, receiver)
        for plan in plans:
            held = outcome.held.get(plan.alert, _Held(receivers=frozenset()))
            problems = _problems(plan, files, held, outcome)
            failed += bool(problems)
            quiet = f"; not notified: muted by the time window {', '.join(held.muted)}" if held.muted else ""
            table.add_row(
                plan.alert,
                _lines(plan.channels),
                _lines(held.receivers),
                "not checked" if outcome.fired is None else _lines(outcome.fired[plan.alert]),
                "not checked" if outcome.resolved is None else _lines(outcome.resolved[plan.alert]),
                "; ".join(problems) or f"routed as expected{quiet}",
            )
    console.print(table)
    console.print(f"{len(chosen) - failed} of {len(chosen)} alerts routed as expected.")
    if receiver is None:
        console.print("RECEIVER_URL is not set: deliveries were not checked.")
    return 1 if failed else 0


def batches(plans: Sequence[AlertPlan], inhibitions: Sequence[Mapping[str, Any]]) -> list[list[AlertPlan]]:
    """Splits the plans into groups in which no alert mutes another by these `inhibit_rules` of Alertmanager."""
    groups: list[list[AlertPlan]] = []
    for plan in plans:
        for group in groups:
            if not any(_mutes(one, plan, inhibitions) or _mutes(plan, one, inhibitions) for one in group):
                group.append(plan)
                break
        else:
            groups.append([plan])
    return groups


def _mutes(source: AlertPlan, target: AlertPlan, inhibitions: Sequence[Mapping[str, Any]]) -> bool:
    return any(notified.mutes(rule, source.labels, target.labels) for rule in inhibitions)


def _plans(files: Content, names: Sequence[str], config: Mapping[str, Any]) -> list[AlertPlan]:
    plans: list[AlertPlan] = []
    for name in names:
        labels = {**files.rule(name).alert_labels, "drill": "true"}
        group_wait, group_interval = group_times(config, labels)
        waits = Waits(scrape=0, evaluation=0, for_=0, group_wait=group_wait, group_interval=group_interval)
        channels = notified.channels(files.routing, labels)
        plans.append(AlertPlan(alert=name, labels=labels, channels=channels, waits=waits, default_for=0))
    return plans


def _drill(
    files: Content, plans: Sequence[AlertPlan], alertmanager: Alertmanager, receiver: Receiver | None
) -> _Outcome:
    """Post these alerts, watch them, and end them."""
    begun = time.time()
    patience = max(plan.waits.group_wait + plan.waits.group_interval for plan in plans) + LEEWAY
    outcome = _Outcome()
    try:
        # With an end time in the future, the alerts of an interrupted drill end by themselves.
        _post(alertmanager, plans, ends_in=4 * patience)
        outcome.held = _held(alertmanager, {plan.alert for plan in plans})
        silent = {name for name, held in outcome.held.items() if held.muted or held.suppressed_by}
        awaited = _Awaited(since=begun, patience=patience, silent=silent)
        outcome.fired = _await(receiver, files, plans, "firing", awaited)
    finally:
        _post(alertmanager, plans, ends_in=0)
    outcome.resolved = _await(receiver, files, plans, "resolved", awaited)
    return outcome


def _post(alertmanager: Alertmanager, plans: Sequence[AlertPlan], *, ends_in: float) -> None:
    end = datetime.now(UTC) + timedelta(seconds=ends_in)
    text = {"summary": "Routing drill", "description": "A drill of the notification routes; nothing is wrong."}
    alertmanager.post([{"labels": dict(plan.labels), "annotations": text, "endsAt": end.isoformat()} for plan in plans])


def _held(alertmanager: Alertmanager, wanted: Collection[str]) -> dict[str, _Held]:
    """Maps alert names to Alertmanager's status, once it holds all alerts or the leeway is over."""
    deadline = time.monotonic() + LEEWAY
    while True:
        alerts = [one for one in alertmanager.alerts('drill="true"') if one["labels"]["alertname"] in wanted]
        names = {one["fingerprint"]: one["labels"]["alertname"] for one in alertmanager.alerts()}
        held = {
            one["labels"]["alertname"]: _Held(
                receivers=frozenset(receiver["name"] for receiver in one["receivers"]),
                muted=tuple(one["status"].get("mutedBy") or ()),
                suppressed_by=(
                    *(f"silence {silence}" for silence in one["status"]["silencedBy"]),
                    *(f"alert {names.get(by, by)}" for by in one["status"]["inhibitedBy"]),
                ),
            )
            for one in alerts
        }
        if set(wanted) <= held.keys() or time.monotonic() > deadline:
            return held
        time.sleep(TICK)


@dataclass(frozen=True, kw_only=True)
class _Awaited:
    since: float
    """Seconds since the epoch."""
    patience: float
    silent: Collection[str]
    """Alerts for which no notification is expected."""


def _await(
    receiver: Receiver | None, files: Content, plans: Sequence[AlertPlan], status: str, awaited: _Awaited
) -> dict[str, set[str]] | None:
    """Maps alert names to the channels notified of this status. None without a receiver.

    Returns once all expected notifications arrived, or after the patience.
    """
    if receiver is None:
        return None
    deadline = time.monotonic() + awaited.patience
    while True:
        deliveries = receiver.deliveries(awaited.since)
        notified = {plan.alert: {one.receiver for one in deliveries if _is_about(one, plan, status)} for plan in plans}
        complete = all(
            _wanted(plan, files, status) <= notified[plan.alert] for plan in plans if plan.alert not in awaited.silent
        )
        if complete or time.monotonic() > deadline:
            return notified
        time.sleep(TICK)


def _is_about(delivery: Delivery, plan: AlertPlan, status: str) -> bool:
    """Whether a delivery is about this synthetic alert. Only webhooks have labels; the others are matched by name."""
    return any(
        alert["alertname"] == plan.alert
        and alert["status"] == status
        and (delivery.kind != "webhook" or alert["labels"].get("drill") == "true")
        for alert in delivery.alerts
    )


def _wanted(plan: AlertPlan, files: Content, status: str) -> set[str]:
    return {channel for channel in plan.channels if status == "firing" or files.resolves(channel)}


def _problems(plan: AlertPlan, files: Content, held: _Held, outcome: _Outcome) -> list[str]:
    problems: list[str] = []
    if held.receivers != frozenset(plan.channels):
        problems.append(f"Alertmanager sends it to {', '.join(sorted(held.receivers)) or 'nobody'}")
    if held.suppressed_by:
        return [*problems, f"not notified: suppressed by {', '.join(held.suppressed_by)}"]
    for status, channels in (("firing", outcome.fired), ("resolved", outcome.resolved)):
        missing = set() if channels is None or held.muted else _wanted(plan, files, status) - channels[plan.alert]
        if missing:
            problems.append(f"no {status} notification in {', '.join(sorted(missing))}")
    return problems


def _lines(names: Collection[str]) -> str:
    return "\n".join(sorted(names)) or "-"
