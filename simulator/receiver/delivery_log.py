"""Remembers deliveries: in memory for queries, and in an append-only file so that a restart loses nothing."""

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import structlog

log = structlog.get_logger()

KEPT_PER_CHANNEL = 1000
"""Newest deliveries kept of each channel: a channel that repeats for ever cannot push out another's."""
MOST_CHANNELS = 50
"""Channels kept; one more pushes out the channel that was quiet for longest."""


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One recorded notification."""

    received_at: float
    """Seconds since the epoch."""
    channel: str
    kind: str
    """`webhook`, `slack`, `pagerduty`, `email` or `malformed`."""
    status: str
    """`firing`, `resolved` or `malformed`."""
    alerts: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """Per alert: `alertname`, `status`, `labels` (of a webhook only)."""
    payload: Any = None
    """As received; of a malformed one, the first part as text."""
    error: str | None = None
    """Why it is malformed."""

    def matches(self, *, alertname: str | None, status: str | None) -> bool:
        """Whether it is about this alert in this status; both conditions must hold for the same alert."""
        if alertname is None:
            return status is None or self.status == status
        return any(
            alert["alertname"] == alertname and (status is None or alert["status"] == status) for alert in self.alerts
        )


class DeliveryLog:
    """Deliveries in the order in which they came."""

    def __init__(self, file: Path | None, *, kept_per_channel: int = KEPT_PER_CHANNEL) -> None:
        """Read what `file` holds. A file that cannot be written is reported once; then memory alone is used."""
        self._kept = kept_per_channel
        self._channels: dict[str, deque[Delivery]] = {}
        self._file = file
        self._lines = 0
        for delivery in _read(file):
            self._remember(delivery)
        self._rewrite()

    def add(self, delivery: Delivery) -> None:
        """Record one delivery."""
        self._remember(delivery)
        self._append(delivery)
        # The file holds at most twice what memory holds, then it is written anew.
        if self._lines > 2 * max(self._size(), self._kept):
            self._rewrite()

    def find(
        self,
        *,
        channel: str | None = None,
        alertname: str | None = None,
        status: str | None = None,
        since: float | None = None,
    ) -> list[Delivery]:
        """Deliveries that meet every condition given, oldest first; `since` is in seconds since the epoch."""
        channels = self._channels.values() if channel is None else [self._channels.get(channel, deque())]
        found = (
            delivery
            for deliveries in channels
            for delivery in deliveries
            if (since is None or delivery.received_at >= since) and delivery.matches(alertname=alertname, status=status)
        )
        return sorted(found, key=lambda delivery: delivery.received_at)

    def clear(self) -> int:
        """Forget everything; says how many deliveries there were."""
        size = self._size()
        self._channels.clear()
        self._rewrite()
        return size

    def _size(self) -> int:
        return sum(len(deliveries) for deliveries in self._channels.values())

    def _remember(self, delivery: Delivery) -> None:
        self._channels.setdefault(delivery.channel, deque(maxlen=self._kept)).append(delivery)
        if len(self._channels) > MOST_CHANNELS:
            quiet = min(self._channels, key=lambda channel: self._channels[channel][-1].received_at)
            del self._channels[quiet]

    def _append(self, delivery: Delivery) -> None:
        if not self._file:
            return
        try:
            with self._file.open("a", encoding="utf-8") as sink:
                sink.write(_line(delivery))
            self._lines += 1
        except OSError as error:
            self._give_up(error)

    def _rewrite(self) -> None:
        if not self._file:
            return
        kept = self.find()
        scratch = self._file.with_suffix(".new")
        try:
            scratch.write_text("".join(map(_line, kept)), encoding="utf-8")
            scratch.replace(self._file)
            self._lines = len(kept)
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        log.warning("deliveries are kept in memory only", file=str(self._file), error=str(error))
        self._file = None


def _line(delivery: Delivery) -> str:
    return json.dumps(vars(delivery), separators=(",", ":")) + "\n"


def _read(file: Path | None) -> Iterator[Delivery]:
    if not file or not file.is_file():
        return
    with file.open(encoding="utf-8", errors="replace") as source:
        for line in source:
            try:
                yield Delivery(**cast(dict[str, Any], json.loads(line)))
            except (ValueError, TypeError):
                # The last line of a receiver that was killed while it wrote.
                log.warning("unreadable line in the delivery file is left out", file=str(file))
