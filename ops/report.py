"""How a drill is shown: a table for people, JSON for programs."""

from collections.abc import Iterable, Mapping
from typing import Any

from rich.table import Table

from ops.drill import Run, Stage
from ops.plan import TOLERANCE, AlertPlan

EXPLANATION = (
    "allowed = scrape (+ rise) + evaluation + for + group_wait, each at its longest; overhead = measured - allowed "
    f"(below zero: the waits were shorter than that); late = overhead above one scrape interval + {TOLERANCE:g} s. "
    "A fault of a metric is strong enough to tip a rate's whole window at its first scrape; log lines come one by one, "
    "and what they need to fill the window is the rise. "
    "Resolving is slower by nature: a 5m rate needs up to 5 minutes to forget."
)


def plan_table(plans: Iterable[AlertPlan]) -> Table:
    """What would be done, for --dry-run."""
    table = Table(title="Plan (nothing is touched)")
    table.add_column("alert = fault", no_wrap=True)
    table.add_column("channels", no_wrap=True)
    for column in ("scrape (+ rise) + evaluation\n+ for + group_wait", "late after"):
        table.add_column(column)
    for plan in plans:
        table.add_row(plan.alert, "\n".join(plan.channels), _sum(plan), f"{plan.waits.limit:g} s")
    return table


def progress_table(runs: Iterable[Run], now: float) -> Table:
    """Where every alert stands; `now` in seconds since the epoch."""
    table = Table()
    for column in ("alert", "stage", "since fault", "delivered to", "resolved in"):
        table.add_column(column, overflow="fold")
    for run in runs:
        since = "" if run.fault_on is None or run.ended else f"{max(now - run.fault_on, 0):.0f} s"
        table.add_row(run.plan.alert, run.stage.value, since, ", ".join(run.fired), ", ".join(run.resolved))
    return table


def result_table(runs: Iterable[Run]) -> Table:
    """What was measured."""
    table = Table(title="Alerts fired")
    table.add_column("alert", no_wrap=True)
    table.add_column("channels", overflow="fold")
    for column in ("fault to\ndelivery", "allowed", "overhead", "off to\nresolved"):
        table.add_column(column, justify="right")
    table.add_column("verdict", overflow="fold")
    for run in runs:
        table.add_row(
            run.plan.alert,
            "\n".join(f"{'+' if name in run.fired else '-'} {name}" for name in run.plan.channels),
            _seconds(run.delivery_seconds),
            _sum(run.plan),
            _seconds(run.overhead),
            _seconds(run.resolve_seconds),
            verdict(run),
        )
    return table


def notes(plans: Iterable[AlertPlan], others: Iterable[str] = ()) -> list[str]:
    """What a reader of the table must know besides."""
    changed = [plan for plan in plans if plan.waits.for_ != plan.default_for]
    lines: list[str] = []
    if changed:
        shortened = all(plan.waits.for_ < plan.default_for for plan in changed)
        each = ", ".join(f"{plan.alert} {plan.default_for:g} s -> {plan.waits.for_:g} s" for plan in changed)
        lines.append(f"`for` is {'shortened' if shortened else 'changed'} by this stack's alertOverrides: {each}.")
    if others:
        lines.append(f"Other alerts were delivered meanwhile: {', '.join(sorted(others))}.")
    return lines


def not_caused(names: Iterable[str], reasons: Mapping[str, str]) -> list[str]:
    """One line for each alert that no drill causes, with the reason."""
    return [f"{name} is not fired: {reasons[name]}." for name in names if name in reasons]


def verdict(run: Run) -> str:
    """One line on how the drill of one alert ended."""
    if run.problems:
        return "FAILED: " + "; ".join(run.problems)
    if run.stage is not Stage.DONE:
        return f"not finished ({run.stage.value})"
    return "delivered, but late" if run.late else "delivered and resolved"


def as_json(runs: Iterable[Run], *, environment: str, others: Iterable[str]) -> dict[str, Any]:
    """The same as the table, in seconds; times of day are seconds since the epoch."""
    return {
        "environment": environment,
        "others": sorted(others),
        "alerts": [
            {
                "alert": run.plan.alert,
                "channels": list(run.plan.channels),
                "delivered": run.fired,
                "resolved": run.resolved,
                "fault_on": run.fault_on,
                "fault_off": run.fault_off,
                "scrape": run.plan.waits.scrape,
                "rise": run.plan.waits.rise,
                "evaluation": run.plan.waits.evaluation,
                "for": run.plan.waits.for_,
                "default_for": run.plan.default_for,
                "group_wait": run.plan.waits.group_wait,
                "allowed": run.plan.waits.allowed,
                "limit": run.plan.waits.limit,
                "delivery": run.delivery_seconds,
                "overhead": run.overhead,
                "late": run.late,
                "resolve": run.resolve_seconds,
                "verdict": verdict(run),
                "ok": run.stage is Stage.DONE and not run.problems,
            }
            for run in runs
        ],
    }


def _sum(plan: AlertPlan) -> str:
    waits = plan.waits
    rise = (waits.rise,) if waits.rise else ()
    values = (waits.scrape, *rise, waits.evaluation, waits.for_, waits.group_wait)
    parts = " + ".join(f"{value:g}" for value in values)
    return f"{parts}\n= {waits.allowed:g} s"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"
