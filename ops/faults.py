"""Where the faults of a drill come from: who causes an alert's trouble, and ends it again."""

from collections.abc import Sequence
from typing import Any, Protocol

from ops.errors import OpsError

NOT_CAUSED = {
    "SpecCursorErrorLogAnomalous": "compares with what was logged the day before; the fault of SpecCursorErrorLogBurst "
    "often makes it fire, too",
}
"""Alerts of simulated systems that no drill causes -> why; of the platform's own see ops/platform_faults.py."""


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
