"""Routing only: synthetic alerts straight to an Alertmanager, for stacks whose workloads must not be disturbed."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table

from ops.clients import Alertmanager, Delivery, Receiver
from ops.errors import OpsError
from ops.plan import AlertPlan, Content, Waits, route_times

TICK = 0.5
SLACK = 30.0
"""Seconds on top of group_wait and group_interval before a notification counts as missing."""


def run(console: Console, files: Content, names: list[str], alertmanager_url: str, receiver_url: str | None) -> int:
    """Post one alert per name, compare where it goes, end it again; the exit code.

    Alerts carry the labels that the stack gives them; those that it disables are left out. Raises OpsError.
    """
    chosen = files.selected(names)
    disabled = [name for name in chosen if not files.enabled(name)]
    if len(disabled) == len(chosen):
        raise OpsError(f"nothing to drill: the stack's alertOverrides disable {', '.join(disabled)}")
    alertmanager = Alertmanager(alertmanager_url)
    receiver = Receiver(receiver_url) if receiver_url else None
    plans = _plans(files, [name for name in chosen if name not in disabled], alertmanager)
    console.print(f"routing only: {len(plans)} synthetic alerts (drill=true) to {alertmanager.url}")
    if disabled:
        console.print(f"left out, because the stack disables them: {', '.join(disabled)}")
    begun = time.time()
    patience = max(plan.waits.group_wait + plan.waits.group_interval for plan in plans) + SLACK
    try:
        # The end lies in the future, so that an interrupted drill ends by itself.
        _post(alertmanager, plans, ends_in=4 * patience)
        routed = _routed(alertmanager, plans)
        fired = _await(receiver, plans, "firing", begun, patience, files)
    finally:
        _post(alertmanager, plans, ends_in=0)
    resolved = _await(receiver, plans, "resolved", begun, patience, files)

    table = Table(title="Routing only")
    for column in ("alert", "expected", "Alertmanager's receivers", "delivered", "resolved", "verdict"):
        table.add_column(column, overflow="fold")
    failed = 0
    for plan in plans:
        problems = _problems(plan, files, routed.get(plan.alert, set()), fired, resolved)
        failed += bool(problems)
        table.add_row(
            plan.alert,
            _lines(plan.channels),
            _lines(routed.get(plan.alert, set())),
            "not asked" if fired is None else _lines(fired[plan.alert]),
            "not asked" if resolved is None else _lines(resolved[plan.alert]),
            "; ".join(problems) or "routed as expected",
        )
    console.print(table)
    if receiver is None:
        console.print("RECEIVER_URL is not set: deliveries were not checked.")
    return 1 if failed else 0


def _plans(files: Content, names: list[str], alertmanager: Alertmanager) -> list[AlertPlan]:
    config = alertmanager.config()
    plans: list[AlertPlan] = []
    for name in names:
        labels = {**files.rule(name).labels.model_dump(), "alertname": name, "drill": "true"}
        times = route_times(config, labels).values()
        waits = Waits(
            scrape=0,
            evaluation=0,
            for_=0,
            group_wait=max(wait for wait, _ in times),
            group_interval=max(interval for _, interval in times),
        )
        plans.append(
            AlertPlan(
                alert=name, labels=labels, channels=files.routing.channels_for(labels), waits=waits, default_for=0
            )
        )
    return plans


def _post(alertmanager: Alertmanager, plans: list[AlertPlan], *, ends_in: float) -> None:
    end = datetime.now(UTC) + timedelta(seconds=ends_in)
    text = {"summary": "Routing drill", "description": "A drill of the notification routes; nothing is wrong."}
    alertmanager.post([{"labels": dict(plan.labels), "annotations": text, "endsAt": end.isoformat()} for plan in plans])


def _routed(alertmanager: Alertmanager, plans: list[AlertPlan]) -> dict[str, set[str]]:
    """Alert name -> names of the receivers that Alertmanager itself says it goes to."""
    wanted = {plan.alert for plan in plans}
    deadline = time.monotonic() + SLACK
    while True:
        held: list[dict[str, Any]] = alertmanager.alerts('drill="true"')
        routed = {alert["labels"]["alertname"]: {receiver["name"] for receiver in alert["receivers"]} for alert in held}
        if wanted <= routed.keys() or time.monotonic() > deadline:
            return routed
        time.sleep(TICK)


def _await(
    receiver: Receiver | None, plans: list[AlertPlan], status: str, since: float, patience: float, files: Content
) -> dict[str, set[str]] | None:
    """Alert name -> channels that were told this status, once all were or patience ran out; None without a receiver."""
    if receiver is None:
        return None
    deadline = time.monotonic() + patience
    while True:
        deliveries = receiver.deliveries(since)
        told = {
            plan.alert: {files.channel_of(one) for one in deliveries if _is_told(one, plan, status)} for plan in plans
        }
        complete = all(_wanted(plan, files, status) <= told[plan.alert] for plan in plans)
        if complete or time.monotonic() > deadline:
            return told
        time.sleep(TICK)


def _is_told(delivery: Delivery, plan: AlertPlan, status: str) -> bool:
    """Whether this is about our alert; a Slack message has no labels, so there the name must do."""
    return any(
        alert["alertname"] == plan.alert
        and alert["status"] == status
        and (delivery.kind == "slack" or alert["labels"].get("drill") == "true")
        for alert in delivery.alerts
    )


def _wanted(plan: AlertPlan, files: Content, status: str) -> set[str]:
    return {channel for channel in plan.channels if status == "firing" or files.resolves(channel)}


def _problems(
    plan: AlertPlan,
    files: Content,
    routed: set[str],
    fired: dict[str, set[str]] | None,
    resolved: dict[str, set[str]] | None,
) -> list[str]:
    problems: list[str] = []
    if routed != set(plan.channels):
        problems.append(f"Alertmanager sends it to {', '.join(sorted(routed)) or 'nobody'}")
    for status, told in (("firing", fired), ("resolved", resolved)):
        missing = set() if told is None else _wanted(plan, files, status) - told[plan.alert]
        if missing:
            problems.append(f"no {status} notification in {', '.join(sorted(missing))}")
    return problems


def _lines(names: set[str] | tuple[str, ...]) -> str:
    return "\n".join(sorted(names)) or "-"
