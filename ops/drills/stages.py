"""Where the drill of one alert stands, and what was measured."""

from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

from ops.drills.fault_times import words
from ops.drills.plan import AlertPlan


class Stage(StrEnum):
    """Where one alert's drill stands."""

    QUEUED = "waiting for its turn"
    QUIET = "waiting until it is quiet"
    FIRING = "fault on, waiting for delivery"
    RESOLVING = "fault off, waiting for resolved"
    LISTENING = "waiting for heartbeats"
    DONE = "done"
    FAILED = "failed"


@dataclass(kw_only=True)
class Run:
    """The drill of one alert. Times are in seconds since the epoch, by the clocks of the cluster."""

    plan: AlertPlan
    stage: Stage = Stage.QUEUED
    fault_on: float | None = None
    fault_off: float | None = None
    fired: dict[str, float] = field(default_factory=dict[str, float])
    """Channel -> when its first firing notification was received."""
    resolved: dict[str, float] = field(default_factory=dict[str, float])
    problems: list[str] = field(default_factory=list[str])
    deadline: float = 0.0
    not_awaited: bool = False
    """Whether nobody waits for its end, because its window is longer than the drill may take."""
    earlier: bool = False
    """Whether it still fired from an earlier drill, so that no fault was switched on; `fired` is of that drill."""
    heartbeats: list[float] = field(default_factory=list[float])
    """When each notification of an alert that always fires was received."""

    @property
    def delivery_seconds(self) -> float | None:
        """From the fault to the slowest channel's notification; None while one is missing."""
        if self.fault_on is None or set(self.plan.channels) - set(self.fired):
            return None
        return max(self.fired[channel] for channel in self.plan.channels) - self.fault_on

    @property
    def resolve_seconds(self) -> float | None:
        """From the end of the fault to the slowest channel's resolved message; None without any."""
        if self.fault_off is None or not self.resolved or self.stage is not Stage.DONE:
            return None
        return max(self.resolved.values()) - self.fault_off

    @property
    def overhead(self) -> float | None:
        """Seconds above the sum of the waits; often below zero, because each wait is counted at its longest."""
        return None if self.delivery_seconds is None else self.delivery_seconds - self.plan.waits.allowed

    @property
    def late(self) -> bool:
        """Whether the delivery took longer than the quality bar allows."""
        return self.delivery_seconds is not None and self.delivery_seconds > self.plan.waits.limit

    @property
    def longest_gap(self) -> float | None:
        """Seconds between the two heartbeats that were furthest apart; None with fewer than two."""
        times = sorted(self.heartbeats)
        return max((after - before for before, after in pairwise(times)), default=None)

    @property
    def ended(self) -> bool:
        """Whether there is nothing left to wait for."""
        return self.stage in (Stage.DONE, Stage.FAILED)

    @property
    def ok(self) -> bool:
        """Whether the drill proved what it is for."""
        return self.stage is Stage.DONE and not self.problems

    @property
    def waiting(self) -> bool:
        """Whether its fault is still to be switched on."""
        return self.stage in (Stage.QUEUED, Stage.QUIET)


def verdict(run: Run) -> str:
    """One line on how the drill of one alert ended."""
    if run.problems:
        return "FAILED: " + "; ".join(run.problems)
    if run.stage is not Stage.DONE:
        return f"not finished ({run.stage.value})"
    if run.heartbeats:
        gap = "" if run.longest_gap is None else f", longest gap {run.longest_gap:.0f} s"
        return f"{len(run.heartbeats)} heartbeats arrived{gap}"
    if run.earlier:
        return f"still fires from an earlier drill, whose notifications arrived (window {words(run.plan.window)})"
    told = "delivered late" if run.late else "delivered"
    return told if run.not_awaited else f"{told} and resolved"


def resolved_words(run: Run) -> str:
    """How long the resolved messages took, or why nobody waited for them."""
    if run.not_awaited or run.earlier:
        return f"not awaited: window {words(run.plan.window)}"
    return "-" if run.resolve_seconds is None else f"{run.resolve_seconds:.1f} s"
