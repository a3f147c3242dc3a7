"""A sample of the alerts for a short drill: every system and every channel, in as little time as possible."""

from collections.abc import Iterable

from ops.drills import faults
from ops.drills.plan import AlertPlan


def sample(plans: Iterable[AlertPlan]) -> list[AlertPlan]:
    """Few of these alerts that together cover what all of them cover, so that what is new enters by itself.

    A greedy set cover: the next one is that which takes the least time for each thing that it adds.
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
    """What a drill of this alert shows: its system, its channels, who evaluates it, and how its fault is caused."""
    return frozenset(
        {("system", plan.system), ("engine", plan.engine), ("fault", faults.kind(plan.alert))}
        | {("channel", name) for name in plan.channels}
    )


def _seconds(plan: AlertPlan) -> float:
    """From the fault to the end of the alert."""
    return plan.waits.allowed + plan.window
