"""Where the faults of a drill come from: who causes an alert's trouble, and ends it again."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

from ops.clients.kube import Service
from ops.drills import simulated_series
from ops.drills.deployed import ALWAYS_FIRES
from ops.drills.lanes import MISSING_METRICS
from ops.errors import OpsError
from settings.apps import SIMULATED, SIMULATED_PORT

Kind = Literal["real", "simulated workload", "simulated series", "always fires"]
"""What the trouble is: caused in the cluster, shown by a simulated service, or only claimed by simulator/series."""

PLATFORM = "platform"
PROGRAMS: Mapping[str, Service] = {
    PLATFORM if system == "platform-faults" else system: Service(
        namespace=simulated.namespace, name=simulated.programs[0].app, port=SIMULATED_PORT
    )
    for system, simulated in SIMULATED.items()
}
"""System -> the simulated program with its fault switches."""
REAL = (
    "TargetDown",
    "PodCrashLooping",
    "AlertmanagerNotificationsFailing",
    "GrafanaDown",
    "LokiIngestionStopped",
    "PrometheusConfigReloadFailed",
    "PrometheusRuleFailures",
)
"""Alerts whose trouble is caused in the cluster itself; see ops/drills/platform_faults.py."""


class FaultSource(Protocol):
    """Whatever can cause the trouble behind alerts. The simulator's switches are one, the cluster's API is another."""

    def faults(self) -> list[dict[str, Any]]:
        """Every fault that can be caused here, each with the name of its `alert`."""
        ...

    def switch_on(self, alert: str, *, seconds: float) -> float:
        """Cause it, for at most `seconds` where the source can promise that; when it was there, in epoch seconds."""
        ...

    def switch_off(self, alert: str) -> float:
        """End it (one that is over already is fine); when it was over, in epoch seconds."""
        ...


class Sources:
    """Several sources as one; the first that knows an alert causes it."""

    def __init__(self, *sources: FaultSource) -> None:
        """Nothing is asked before the first call."""
        self._sources: Sequence[FaultSource] = sources
        self._owners: dict[str, FaultSource] = {}

    def faults(self) -> list[dict[str, Any]]:
        """The faults of all sources."""
        found: list[dict[str, Any]] = []
        for source in self._sources:
            for fault in source.faults():
                # Some switches of a simulator have no alert yet.
                if fault["alert"] and self._owners.setdefault(fault["alert"], source) is source:
                    found.append(fault)
        return found

    def switch_on(self, alert: str, *, seconds: float) -> float:
        """Cause it at the source that knows it. Raises OpsError when none does."""
        return self._owner(alert).switch_on(alert, seconds=seconds)

    def switch_off(self, alert: str) -> float:
        """End it at the source that knows it. Raises OpsError when none does."""
        return self._owner(alert).switch_off(alert)

    def _owner(self, alert: str) -> FaultSource:
        if alert not in self._owners:
            self.faults()
        if alert not in self._owners:
            raise OpsError(f"nothing here can cause {alert}")
        return self._owners[alert]


def kind(alert: str) -> Kind:
    """What a drill of this alert proves with."""
    if alert == ALWAYS_FIRES:
        return "always fires"
    if alert in REAL:
        return "real"
    return "simulated series" if simulated_series.makes(alert) else "simulated workload"


def programs(alert: str, system: str) -> tuple[str, ...]:
    """The systems in PROGRAMS whose switches cause this alert; none for a real fault, or where nobody simulates it."""
    match kind(alert):
        case "real" | "always fires":
            return ()
        case "simulated series":
            return (PLATFORM,)
        case "simulated workload":
            owner = "job-queue" if alert == MISSING_METRICS else system
            return (owner,) if owner in PROGRAMS and owner != PLATFORM else ()


def not_caused(alert: str, system: str) -> str | None:
    """Why no drill causes this alert; None when one does."""
    if kind(alert) in ("real", "always fires") or programs(alert, system):
        return None
    return f"nothing makes it fire: {system} has no simulated program, and simulator/series/*.yaml no series for it"
