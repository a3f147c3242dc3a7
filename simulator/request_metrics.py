"""The metrics of an instrumented API (telemetry contract, section 5): requests, their durations, their statuses.

`request_count` and `response_status_count` are exposed under exactly these names, as the seed's queries write them. The
Prometheus client cannot do that with its counters: it appends `_total`, and OpenMetrics, which Prometheus asks for and
which alone carries exemplars, does not allow a counter without it. A family of type `unknown` keeps its name in both
text formats. What that costs is the type in Prometheus' metadata; `rate` and `increase` look at values, not at types,
and a reset to 0 is seen as with any counter.
"""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import UnknownMetricFamily
from prometheus_client.registry import Collector

LABELS = ("service", "endpoint", "method", "status", "project_id")
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class PlainCounter(Collector):
    """A counter whose series have its bare name."""

    def __init__(self, name: str, text: str, registry: CollectorRegistry) -> None:
        """Registers itself; series are born at their first increment."""
        self._name = name
        self._text = text
        self._values: dict[tuple[str, ...], int] = {}
        registry.register(self)

    def inc(self, labels: tuple[str, ...]) -> None:
        """Count one event; `labels` are the values of LABELS. Called in the event loop's thread only."""
        self._values[labels] = self._values.get(labels, 0) + 1

    def collect(self) -> Iterator[UnknownMetricFamily]:
        """The family as the client library exposes it."""
        family = UnknownMetricFamily(self._name, self._text, labels=LABELS)
        for labels, value in self._values.items():
            family.add_metric(labels, value)
        yield family


class RequestMetrics:
    """What an API says of its requests."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._count = PlainCounter("request_count", "Requests.", self.registry)
        self._statuses = PlainCounter("response_status_count", "Responses by status.", self.registry)
        self._durations = Histogram(
            "request_duration_seconds", "Duration of a request.", LABELS, buckets=_BUCKETS, registry=self.registry
        )

    def advance(self) -> None:
        """Nothing to do before a scrape: a request is counted when it is answered."""

    def observe(self, labels: tuple[str, ...], *, seconds: float, exemplar: dict[str, str]) -> None:
        """Count one request that took `seconds`; `labels` are the values of LABELS, `exemplar` names its trace."""
        self._count.inc(labels)
        self._statuses.inc(labels)
        self._durations.labels(*labels).observe(seconds, exemplar=exemplar)
