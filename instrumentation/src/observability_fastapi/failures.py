"""Counts and reports failures of the telemetry itself, so that none of them reaches a caller of the service."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from threading import Lock
from typing import Any, Final, Literal, get_args

import structlog
from prometheus_client import values
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

NAME = "observability_errors"
"""Name of the counter, without the suffix `_total` with which it is exposed."""
HELP = "Failures of the telemetry itself, by the part that failed; none of them changed a response."
_LABELS = ("where",)
_REPORT_EVERY = 60.0
"""Minimum seconds between two log lines about one part: what fails at one request fails at most others."""
Part = Literal[
    "count",
    "endpoint",
    "folding",
    "in flight",
    "label",
    "log",
    "metrics page",
    "multiprocess",
    "multiprocess file",
    "names",
    "on_request",
    "push",
    "request",
    "response",
    "trace",
]
PARTS: tuple[Part, ...] = get_args(Part)
"""All values of the label `where`. Each has a series from the start, so that a query sees the first failure grow from
0, and tells a service without failures from one that does not count them."""
LOG: Final = "log"
"""The part that cannot be reported in the log."""

log = structlog.get_logger()


class Failures(Collector):
    """Failures of this process, by part; every method is thread-safe, and none raises an exception."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns seconds and must be monotonic."""
        self._clock = clock
        self._lock = Lock()
        self._shares = False
        self._counts: dict[str, int] = {}
        self._shared: dict[str, Any] = {}
        self._last: dict[str, float] = {}
        self._suppressed: dict[str, int] = {}

    def share(self) -> None:
        """From now on, also count in the file that all worker processes add up."""
        self._shares = True

    def note(self, where: Part, error: BaseException | None = None, **about: object) -> None:
        """Count one failure of the part `where`, and write one log line about it at most once a minute."""
        with suppress(Exception):
            with self._lock:
                self._count(where)
                unreported = self._unreported(where)
            if unreported is not None:
                _report(where, error, unreported, about)

    def counts(self, *, shared: bool = True) -> dict[str, int]:
        """Part -> failures, if any. Without `shared`, only of parts that are in no file of the processes."""
        with self._lock:
            return {where: count for where, count in self._counts.items() if shared or where not in self._shared}

    def describe(self) -> Iterator[Metric]:
        """The family without series; the registry uses it to detect name conflicts."""
        yield CounterMetricFamily(NAME, HELP, labels=_LABELS)

    def collect(self) -> Iterator[Metric]:
        """The counter; nothing if several processes share it, because then their files are added up elsewhere."""
        if not self._shares:
            yield family(self.counts())

    def _count(self, where: str) -> None:
        self._counts[where] = self._counts.get(where, 0) + 1
        if not self._shares:
            return
        with suppress(Exception):
            if where not in self._shared:
                self._shared[where] = values.ValueClass("counter", NAME, f"{NAME}_total", _LABELS, (where,), HELP)
            self._shared[where].inc(1)

    def _unreported(self, where: str) -> int | None:
        """Number of failures since the last line; None if the last line is too recent for another one."""
        now, last = self._clock(), self._last.get(where)
        if last is not None and now - last < _REPORT_EVERY:
            self._suppressed[where] = self._suppressed.get(where, 0) + 1
            return None
        self._last[where] = now
        return self._suppressed.pop(where, 0)


def family(counts: Mapping[str, float]) -> Metric:
    """The counter with one series per part, 0 without a failure."""
    made = CounterMetricFamily(NAME, HELP, labels=_LABELS)
    # Files of an older release of this package may name other parts.
    for where in sorted({*PARTS, *counts}):
        made.add_metric((where,), counts.get(where, 0))
    return made


def _report(where: str, error: BaseException | None, unreported: int, about: dict[str, object]) -> None:
    try:
        if where != LOG:
            log.error("telemetry failed", where=where, not_reported=unreported, exc_info=error, **about)
            return
    except Exception as second:
        FAILURES.note(LOG, second)
    # Standard error, because the log is what failed, or the logger that the service has set up.
    print(f"telemetry failed: where={where} error={error!r} not_reported={unreported}", file=sys.stderr)  # noqa: T201


FAILURES = Failures()
"""Of the whole process: a log line belongs to no application."""
