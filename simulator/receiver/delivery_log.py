"""Stores deliveries in memory for queries, and in an append-only file so that a restart loses nothing."""

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import structlog

log = structlog.get_logger()

KEPT_PER_CHANNEL = 1000
"""Maximum number of deliveries per channel, so that a busy channel does not displace the deliveries of others."""
MOST_CHANNELS = 50
"""Maximum number of channels; a further one displaces the channel that has been quiet the longest."""


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One recorded notification."""

    received_at: float
    """Seconds since the epoch."""
    channel: str
    kind: str
    """`webhook`, `slack`, `pagerduty`, `email`, `card` or `malformed`."""
    status: str
    """`firing`, `resolved` or `malformed`."""
    alerts: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """Per alert: `alertname`, `status`, `labels` (only for webhooks)."""
    payload: Any = None
    """The payload as received; for a malformed one, its start as text."""
    error: str | None = None
    """Reason why it is malformed."""

    def matches(self, *, alertname: str | None, status: str | None) -> bool:
        """Whether an alert in it has this name and this status; both must hold for the same alert."""
        if alertname is None:
            return status is None or self.status == status
        return any(
            alert["alertname"] == alertname and (status is None or alert["status"] == status) for alert in self.alerts
        )


class DeliveryLog:
    """Deliveries per channel, in the order of their arrival."""

    def __init__(self, file: Path | None, *, kept_per_channel: int = KEPT_PER_CHANNEL) -> None:
        """Read the content of `file`. If the file cannot be written, log a warning once and use only memory."""
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
        # The file is rewritten when it has more than twice as many deliveries as memory.
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
        """Deliveries that match all given conditions, oldest first; `since` is in seconds since the epoch."""
        channels = self._channels.values() if channel is None else [self._channels.get(channel, deque())]
        found = (
            delivery
            for deliveries in channels
            for delivery in deliveries
            if (since is None or delivery.received_at >= since) and delivery.matches(alertname=alertname, status=status)
        )
        return sorted(found, key=lambda delivery: delivery.received_at)

    def clear(self) -> int:
        """Delete all deliveries, and return their number."""
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
        deliveries = self.find()
        scratch = self._file.with_suffix(".new")
        try:
            scratch.write_text("".join(map(_line, deliveries)), encoding="utf-8")
            scratch.replace(self._file)
            self._lines = len(deliveries)
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
                # A receiver that is killed while writing leaves an incomplete last line.
                log.warning("skipped an unreadable line of the delivery file", file=str(file))
