"""The stage of one alert's drill, and its measurements."""

from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

from ops.drills.plan import AlertPlan
from ops.drills.wait_times import duration_text


class Stage(StrEnum):
    """The stage of one alert's drill."""

    QUEUED = "waiting for its turn"
    QUIET = "waiting until it is quiet"
    FIRING = "fault on, waiting for delivery"
    RESOLVING = "fault off, waiting for resolved"
    LISTENING = "waiting for heartbeats"
    DONE = "done"
    FAILED = "failed"


@dataclass(kw_only=True)
class Run:
    """The drill of one alert. Times are in seconds since the epoch, on the clocks of the cluster."""

    plan: AlertPlan
    stage: Stage = Stage.QUEUED
    fault_on: float | None = None
    fault_off: float | None = None
    fired: dict[str, float] = field(default_factory=dict[str, float])
    """Maps channels to the time of their first firing notification."""
    resolved: dict[str, float] = field(default_factory=dict[str, float])
    problems: list[str] = field(default_factory=list[str])
    deadline: float = 0.0
    not_awaited: bool = False
    """Whether the drill does not wait for the alert to resolve, because its window is too long."""
    earlier: bool = False
    """Whether the alert still fired from an earlier drill, so that no fault was switched on; `fired` is from that
    drill."""
    heartbeats: list[float] = field(default_factory=list[float])
    """Time of each notification of an alert that always fires."""

    @property
    def delivery_seconds(self) -> float | None:
        """Seconds from the fault to the slowest channel's notification; None while one is missing."""
        if self.fault_on is None or set(self.plan.channels) - set(self.fired):
            return None
        return max(self.fired[channel] for channel in self.plan.channels) - self.fault_on

    @property
    def resolve_seconds(self) -> float | None:
        """Seconds from the end of the fault to the slowest channel's resolved notification; None without one."""
        if self.fault_off is None or not self.resolved or self.stage is not Stage.DONE:
            return None
        return max(self.resolved.values()) - self.fault_off

    @property
    def overhead(self) -> float | None:
        """Seconds beyond the sum of the waits; often negative, because each wait counts with its maximum."""
        return None if self.delivery_seconds is None else self.delivery_seconds - self.plan.waits.allowed

    @property
    def late(self) -> bool:
        """Whether the delivery took longer than the limit."""
        return self.delivery_seconds is not None and self.delivery_seconds > self.plan.waits.limit

    @property
    def longest_gap(self) -> float | None:
        """Longest time in seconds between two consecutive heartbeats; None with fewer than two."""
        times = sorted(self.heartbeats)
        return max((after - before for before, after in pairwise(times)), default=None)

    @property
    def ended(self) -> bool:
        """Whether the drill is done or failed."""
        return self.stage in (Stage.DONE, Stage.FAILED)

    @property
    def ok(self) -> bool:
        """Whether the drill succeeded."""
        return self.stage is Stage.DONE and not self.problems

    @property
    def waiting(self) -> bool:
        """Whether the fault has not been switched on yet."""
        return self.stage in (Stage.QUEUED, Stage.QUIET)


def verdict(run: Run) -> str:
    """One line on the result of one alert's drill."""
    if run.problems:
        return "FAILED: " + "; ".join(run.problems)
    if run.stage is not Stage.DONE:
        return f"not finished ({run.stage.value})"
    if run.heartbeats:
        gap = "" if run.longest_gap is None else f", longest gap {run.longest_gap:.0f} s"
        return f"{len(run.heartbeats)} heartbeats arrived{gap}"
    if run.earlier:
        return (
            f"still fires from an earlier drill, whose notifications arrived (window {duration_text(run.plan.window)})"
        )
    delivered = "delivered late" if run.late else "delivered"
    return delivered if run.not_awaited else f"{delivered} and resolved"


def resolved_text(run: Run) -> str:
    """The time until the resolved notifications, or the reason why the drill did not wait for them."""
    if run.not_awaited or run.earlier:
        return f"not awaited: window {duration_text(run.plan.window)}"
    return "-" if run.resolve_seconds is None else f"{run.resolve_seconds:.1f} s"
