"""The sources of a drill's faults, which cause the trouble behind an alert and end it again."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

from ops.clients.kube import Service
from ops.drills import simulated_series
from ops.drills.deployed import ALWAYS_FIRES
from ops.drills.lanes import GONE, MISSING_METRICS
from ops.errors import OpsError
from settings.apps import SIMULATED, SIMULATED_PORT

FaultKind = Literal["real", "simulated workload", "simulated series", "always fires"]
"""How a fault is made: caused in the cluster, simulated by a service, or only shown by the series in
simulator/series."""

PLATFORM = "platform"
PROGRAMS: Mapping[str, Service] = {
    PLATFORM if system == "platform-faults" else system: Service(
        namespace=simulated.namespace, name=simulated.programs[0].app, port=SIMULATED_PORT
    )
    for system, simulated in SIMULATED.items()
}
"""Maps each system to the simulated program that has its fault switches."""
REAL = (
    "TargetDown",
    "PodCrashLooping",
    "AlertmanagerNotificationsFailing",
    "GrafanaDown",
    "LokiIngestionStopped",
    *GONE,
    "PrometheusConfigReloadFailed",
    "PrometheusRuleFailures",
)
"""Alerts whose fault is caused in the cluster itself; see ops/drills/platform_faults.py."""


class FaultSource(Protocol):
    """A source of faults, such as the simulator's switches or the cluster's API."""

    def faults(self) -> list[dict[str, Any]]:
        """Every fault that this source can cause, each with the name of its `alert`."""
        ...

    def switch_on(self, alert: str, *, seconds: float) -> float:
        """Cause the fault, for at most `seconds` if the source supports a limit.

        Returns the time at which the fault was in place, in epoch seconds.
        """
        ...

    def switch_off(self, alert: str) -> float:
        """End the fault; it may have ended already. Returns the time at which it was over, in epoch seconds."""
        ...


class Sources:
    """Combines several sources; the first source that has a fault for an alert causes it."""

    def __init__(self, *sources: FaultSource) -> None:
        """Calls no source yet."""
        self._sources: Sequence[FaultSource] = sources
        self._owners: dict[str, FaultSource] = {}

    def faults(self) -> list[dict[str, Any]]:
        """The faults of all sources."""
        found: list[dict[str, Any]] = []
        for source in self._sources:
            for fault in source.faults():
                # Some switches of a simulator have no alert.
                if fault["alert"] and self._owners.setdefault(fault["alert"], source) is source:
                    found.append(fault)
        return found

    def switch_on(self, alert: str, *, seconds: float) -> float:
        """Cause the fault at its source. Raises OpsError if no source has it."""
        return self._owner(alert).switch_on(alert, seconds=seconds)

    def switch_off(self, alert: str) -> float:
        """End the fault at its source. Raises OpsError if no source has it."""
        return self._owner(alert).switch_off(alert)

    def _owner(self, alert: str) -> FaultSource:
        if alert not in self._owners:
            self.faults()
        if alert not in self._owners:
            raise OpsError(f"this drill cannot cause {alert}")
        return self._owners[alert]


def kind(alert: str) -> FaultKind:
    """How a drill makes this alert fire."""
    if alert == ALWAYS_FIRES:
        return "always fires"
    if alert in REAL:
        return "real"
    return "simulated series" if simulated_series.makes(alert) else "simulated workload"


def programs(alert: str, system: str) -> tuple[str, ...]:
    """The systems in PROGRAMS whose switches cause this alert; empty for a real fault or if nothing simulates it."""
    match kind(alert):
        case "real" | "always fires":
            return ()
        case "simulated series":
            return (PLATFORM,)
        case "simulated workload":
            owner = "job-queue" if alert == MISSING_METRICS else system
            return (owner,) if owner in PROGRAMS and owner != PLATFORM else ()


def not_caused(alert: str, system: str) -> str | None:
    """The reason why no drill can cause this alert; None if a drill can."""
    if kind(alert) in ("real", "always fires") or programs(alert, system):
        return None
    return f"nothing makes it fire: {system} has no simulated program, and simulator/series/*.yaml has no series for it"
