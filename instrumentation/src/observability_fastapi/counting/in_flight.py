"""The gauge of requests that are being handled."""

from collections.abc import Callable, Iterator
from threading import Lock
from typing import Any

from prometheus_client import values
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from observability_fastapi.failures import FAILURES

NAME = "requests_in_flight"
HELP = "Requests that are being handled, including their background tasks."
_LABELS = ("service",)


class InFlight(Collector):
    """Counts requests of the services of one registry; every method is thread-safe, and none raises an exception."""

    def __init__(self, name: str, *, shares: bool = False) -> None:
        """With `shares`, the counts are in the files that all worker processes add up, and not in this collector."""
        self._name = name
        self._shares = shares
        self._lock = Lock()
        self._counts: dict[str, int] = {}

    def of(self, service: str) -> Callable[[int], None]:
        """A function that adds to the gauge of `service`."""
        if self._shares:
            return _Shared(self._name, service).add
        self._counts.setdefault(service, 0)

        def add(difference: int) -> None:
            with self._lock:
                self._counts[service] += difference

        return add

    def describe(self) -> Iterator[Metric]:
        """The family without series; the registry uses it to detect name conflicts."""
        yield GaugeMetricFamily(self._name, HELP, labels=_LABELS)

    def collect(self) -> Iterator[Metric]:
        """The gauge as the client library exposes it."""
        if not self._shares:
            family = GaugeMetricFamily(self._name, HELP, labels=_LABELS)
            with self._lock:
                counts = dict(self._counts)
            for service, count in counts.items():
                family.add_metric((service,), count)
            yield family


class _Shared:
    """The gauge of one service in the file of this process; it vanishes with the process."""

    def __init__(self, name: str, service: str) -> None:
        self._about = ("gauge", name, name, _LABELS, (service,), HELP)
        self._value: Any = None

    def add(self, difference: int) -> None:
        try:
            if self._value is None:
                # At the first request, because a server may start its processes after it has loaded the application.
                self._value = values.ValueClass(*self._about, multiprocess_mode="livesum")
            self._value.inc(difference)
        except Exception as error:
            FAILURES.note("in flight", error)
