"""Chooses alerts for a short drill that covers every system and every channel."""

from collections.abc import Iterable

from ops.drills import faults
from ops.drills.plan import AlertPlan


def sample(plans: Iterable[AlertPlan]) -> list[AlertPlan]:
    """A few of these alerts that together cover as much as all of them. A new system or channel is included by itself.

    The choice is a greedy set cover: the next alert is the one that takes the least time for each thing that it adds.
    """
    left = list(plans)
    missing = frozenset[tuple[str, str]]().union(*(covers(plan) for plan in left))
    chosen: list[AlertPlan] = []
    while missing:
        useful = [plan for plan in left if covers(plan) & missing]
        best = min(useful, key=lambda plan: (_seconds(plan) / len(covers(plan) & missing), plan.alert))
        chosen.append(best)
        missing -= covers(best)
    return chosen


def covers(plan: AlertPlan) -> frozenset[tuple[str, str]]:
    """What a drill of this alert covers: its system, its channels, its engine, and the kind of its fault."""
    return frozenset(
        {("system", plan.system), ("engine", plan.engine), ("fault", faults.kind(plan.alert))}
        | {("channel", name) for name in plan.channels}
    )


def _seconds(plan: AlertPlan) -> float:
    """Seconds from the fault to the end of the alert."""
    return plan.waits.allowed + plan.window
