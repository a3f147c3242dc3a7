"""A drill's tables for a terminal. ops/drills/report_files.py writes the files for programs and browsers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rich.table import Table

from ops.drills import faults
from ops.drills.plan import TOLERANCE, AlertPlan
from ops.drills.stages import Run, Stage, resolved_text, verdict

EXPLANATION = (
    "allowed = scrape (+ rise) + evaluation + for + group_wait, each at its longest; overhead = measured - allowed "
    f"(negative if the waits were shorter); late = overhead above one scrape interval + {TOLERANCE:g} s. "
    "A metric's fault fills a rate's whole window at its first scrape. Log lines arrive one by one: rise is the time "
    "until they fill the window, plus the intervals of the recording rules that the alert reads. "
    "Resolving takes longer: after its fault, a 5m rate needs up to 5 minutes to fall."
)


@dataclass(frozen=True, kw_only=True)
class Result:
    """A drill that has ended. Times are in seconds since the epoch."""

    environment: str
    began: float
    ended: float
    runs: Sequence[Run]
    others: Sequence[str] = ()
    """Alerts outside the drill that were delivered while it ran."""
    left_out: Mapping[str, str] = field(default_factory=dict[str, str])
    """Maps alerts that were not drilled to the reason."""


def kind(plan: AlertPlan) -> faults.FaultKind:
    """How the drill makes an alert fire."""
    return faults.kind(plan.alert)


def plan_table(plans: Iterable[AlertPlan], *, simulated: bool = True) -> Table:
    """The planned drills, for --dry-run; without a simulator there are no faults."""
    table = Table(title="Plan (nothing is changed)")
    for column in ("alert = fault", "system", "severity", "fault is", "channels"):
        table.add_column(column, no_wrap=True)
    for column in ("scrape (+ rise) + evaluation\n+ for + group_wait", "late after"):
        table.add_column(column)
    for plan in plans:
        fault = kind(plan) if simulated else "none"
        own = (plan.alert, plan.system, plan.severity, fault, "\n".join(plan.channels))
        table.add_row(*own, _sum(plan), f"{plan.waits.limit:g} s")
    return table


def progress_table(runs: Sequence[Run], now: float) -> Table:
    """The stage of every active alert, and how many have ended; `now` in seconds since the epoch."""
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
    """The measured times and verdicts."""
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
        expected = [f"{'+' if name in run.fired else '-'} {name}" for name in run.plan.channels]
        table.add_row(
            run.plan.alert,
            f"{run.plan.system}\n{run.plan.severity}",
            kind(run.plan),
            "\n".join([*expected, *strays]),
            _seconds(run.delivery_seconds),
            _sum(run.plan),
            _seconds(run.overhead),
            resolved_text(run),
            verdict(run),
        )
    return table


def notes(plans: Iterable[AlertPlan], others: Iterable[str] = ()) -> list[str]:
    """Notes on the table: changed `for` durations and other alerts that were delivered."""
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
    """One line for each alert that the drill does not cause, with the reason."""
    return [f"{name} is not fired: {reasons[name]}." for name in names if name in reasons]


def summary(result: Result) -> str:
    """One line: the number of proved alerts, the kinds of their faults, and the duration."""
    good = sum(run.ok for run in result.runs)
    counts: dict[str, int] = {}
    for run in result.runs:
        counts[kind(run.plan)] = counts.get(kind(run.plan), 0) + 1
    by_kind = ", ".join(f"{count} {name}" for name, count in counts.items())
    minutes, rest = divmod(round(result.ended - result.began), 60)
    return f"{good} of {len(result.runs)} alerts delivered and resolved ({by_kind}) in {minutes} min {rest} s."


def _sum(plan: AlertPlan) -> str:
    waits = plan.waits
    rise = (waits.rise,) if waits.rise else ()
    values = (waits.scrape, *rise, waits.evaluation, waits.for_, waits.group_wait)
    parts = " + ".join(f"{value:g}" for value in values)
    return f"{parts}\n= {waits.allowed:g} s"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"
