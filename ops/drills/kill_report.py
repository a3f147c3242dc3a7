"""What the kill drill knows of each kill, what was delivered about it, and how both are shown."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.table import Table

from ops.clients.signals import Delivery
from ops.drills.deployed import Content
from ops.drills.plan import AlertPlan


@dataclass(kw_only=True)
class Kill:
    """One kill, and the alert instance that was active during it."""

    alert: str
    label: str
    """Label of the alert that tells its instances apart."""
    instance: str
    pod: str
    moment: str
    since: float
    """When the instance began to be this kill's, in epoch seconds."""
    until: float | None = None
    """When it became that of a later kill."""
    back_after: float | None = None
    """Seconds until the replica served again; None if it was not killed or did not come back."""
    fault_on: float | None = None
    fault_off: float | None = None


@dataclass(kw_only=True)
class Count:
    """Number of notifications of one instance, by channel."""

    firing: dict[str, int] = field(default_factory=dict[str, int])
    resolved: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def duplicates(self) -> int:
        """Number of notifications beyond the first, summed over both states and all channels."""
        return sum(max(times - 1, 0) for state in (self.firing, self.resolved) for times in state.values())


def count(kill: Kill, deliveries: Sequence[Delivery]) -> Count:
    """Counts the deliveries about one kill's instance."""
    result = Count()
    for delivery in deliveries:
        if _is_about(delivery, kill):
            state = result.firing if delivery.status == "firing" else result.resolved
            channel = delivery.receiver
            state[channel] = state.get(channel, 0) + 1
    return result


def lost(plan: AlertPlan, counted: Count, files: Content) -> list[str]:
    """Descriptions of the expected notifications that are missing."""
    return [f"firing in {channel}" for channel in plan.channels if not counted.firing.get(channel)] + [
        f"resolved in {channel}"
        for channel in plan.channels
        if files.resolves(channel) and not counted.resolved.get(channel)
    ]


def _is_about(delivery: Delivery, kill: Kill) -> bool:
    if delivery.received_at < kill.since or (kill.until is not None and delivery.received_at >= kill.until):
        return False
    if delivery.kind in ("slack", "card"):
        # A message for people has no labels; its text contains the queue or the service.
        return re.search(rf"\b{re.escape(kill.instance)}\b", json.dumps(delivery.payload)) is not None
    return any(
        alert["alertname"] == kill.alert and alert["labels"].get(kill.label) == kill.instance
        for alert in delivery.alerts
    )


def table(kills: Sequence[Kill], counts: Sequence[Count], missing: Sequence[Sequence[str]]) -> Table:
    """One row for each kill."""
    found = Table(title="Kills")
    for column in ("#", "replica", "alert", "killed", "back after", "firing", "resolved", "duplicates", "lost"):
        found.add_column(column)
    for number, (kill, counted, losses) in enumerate(zip(kills, counts, missing, strict=True), start=1):
        found.add_row(
            str(number),
            kill.pod,
            kill.alert,
            kill.moment,
            "-" if kill.back_after is None else f"{kill.back_after:.0f} s",
            _times(counted.firing),
            _times(counted.resolved),
            str(counted.duplicates or ""),
            ", ".join(losses),
        )
    return found


def _times(state: Mapping[str, int]) -> str:
    return ", ".join(f"{channel} {times}" for channel, times in sorted(state.items())) or "-"


def document(kills: Sequence[Kill], counts: Sequence[Count], missing: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
    """The same for a JSON file."""
    return [
        {
            **vars(kill),
            "firing": counted.firing,
            "resolved": counted.resolved,
            "duplicates": counted.duplicates,
            "lost": list(losses),
        }
        for kill, counted, losses in zip(kills, counts, missing, strict=True)
    ]
