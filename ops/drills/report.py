"""How a drill is shown: tables for people. Files for programs and browsers are made in ops/drills/report_files.py."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rich.table import Table

from ops.drills import faults
from ops.drills.plan import TOLERANCE, AlertPlan
from ops.drills.stages import Run, Stage, resolved_words, verdict

EXPLANATION = (
    "allowed = scrape (+ rise) + evaluation + for + group_wait, each at its longest; overhead = measured - allowed "
    f"(below zero: the waits were shorter than that); late = overhead above one scrape interval + {TOLERANCE:g} s. "
    "A fault of a metric is strong enough to tip a rate's whole window at its first scrape; log lines come one by one, "
    "and what they need to fill the window is the rise, as are the intervals of recording rules in between. "
    "Resolving is slower by nature: a 5m rate needs up to 5 minutes to forget."
)


@dataclass(frozen=True, kw_only=True)
class Result:
    """A drill that has ended. Times are in seconds since the epoch."""

    environment: str
    began: float
    ended: float
    runs: Sequence[Run]
    others: Sequence[str] = ()
    """Alerts that were delivered meanwhile and are no part of the drill."""
    left_out: Mapping[str, str] = field(default_factory=dict[str, str])
    """Alerts that were not drilled -> why."""


def kind(plan: AlertPlan) -> faults.Kind:
    """What the trouble behind an alert is."""
    return faults.kind(plan.alert)


def plan_table(plans: Iterable[AlertPlan]) -> Table:
    """What would be done, for --dry-run."""
    table = Table(title="Plan (nothing is touched)")
    for column in ("alert = fault", "system", "severity", "fault is", "channels"):
        table.add_column(column, no_wrap=True)
    for column in ("scrape (+ rise) + evaluation\n+ for + group_wait", "late after"):
        table.add_column(column)
    for plan in plans:
        own = (plan.alert, plan.system, plan.severity, kind(plan), "\n".join(plan.channels))
        table.add_row(*own, _sum(plan), f"{plan.waits.limit:g} s")
    return table


def progress_table(runs: Sequence[Run], now: float) -> Table:
    """Where every alert under way stands, and how many have ended; `now` in seconds since the epoch."""
    waiting = sum(run.stage is Stage.QUEUED for run in runs)
    failed = sum(run.stage is Stage.FAILED for run in runs)
    counts = f"{sum(run.ended for run in runs)} of {len(runs)} ended, {failed} failed, {waiting} wait for their turn"
    table = Table(title=counts)
    for column in ("alert", "stage", "since fault", "delivered to", "resolved in"):
        table.add_column(column, overflow="fold")
    for run in runs:
        if run.stage not in (Stage.QUEUED, Stage.DONE):
            since = "" if run.fault_on is None or run.ended else f"{max(now - run.fault_on, 0):.0f} s"
            table.add_row(run.plan.alert, run.stage.value, since, ", ".join(run.fired), ", ".join(run.resolved))
    return table


def result_table(runs: Iterable[Run]) -> Table:
    """What was measured."""
    table = Table(title="Alerts fired")
    table.add_column("alert", overflow="fold", min_width=20)
    table.add_column("system\nseverity", no_wrap=True)
    table.add_column("fault is", overflow="fold")
    table.add_column("channels", overflow="fold", min_width=18)
    for column in ("fault to\ndelivery", "allowed", "overhead", "off to\nresolved"):
        table.add_column(column, justify="right")
    table.add_column("verdict", overflow="fold")
    for run in runs:
        strays = [f"! {name}" for name in run.fired if name not in run.plan.channels]
        told = [f"{'+' if name in run.fired else '-'} {name}" for name in run.plan.channels]
        table.add_row(
            run.plan.alert,
            f"{run.plan.system}\n{run.plan.severity}",
            kind(run.plan),
            "\n".join([*told, *strays]),
            _seconds(run.delivery_seconds),
            _sum(run.plan),
            _seconds(run.overhead),
            resolved_words(run),
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


def summary(result: Result) -> str:
    """One line: how many alerts are proved, what proved them, and how long it took."""
    good = sum(run.ok for run in result.runs)
    counts: dict[str, int] = {}
    for run in result.runs:
        counts[kind(run.plan)] = counts.get(kind(run.plan), 0) + 1
    told = ", ".join(f"{count} {name}" for name, count in counts.items())
    minutes, rest = divmod(round(result.ended - result.began), 60)
    return f"{good} of {len(result.runs)} alerts delivered and resolved ({told}) in {minutes} min {rest} s."


def _sum(plan: AlertPlan) -> str:
    waits = plan.waits
    rise = (waits.rise,) if waits.rise else ()
    values = (waits.scrape, *rise, waits.evaluation, waits.for_, waits.group_wait)
    parts = " + ".join(f"{value:g}" for value in values)
    return f"{parts}\n= {waits.allowed:g} s"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"
