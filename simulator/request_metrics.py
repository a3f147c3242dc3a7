"""The metrics of an instrumented API (telemetry contract, section 5): requests, their durations, their statuses.

`request_count` and `response_status_count` are exposed under exactly these names, as the seed's queries write them; see
collectors.PlainCounter.
"""

from prometheus_client import CollectorRegistry, Histogram

from simulator.collectors import PlainCounter

LABELS = ("service", "endpoint", "method", "status", "project_id")
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class RequestMetrics:
    """What an API says of its requests."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._count = PlainCounter("request_count", "Requests.", LABELS, self.registry)
        self._statuses = PlainCounter("response_status_count", "Responses by status.", LABELS, self.registry)
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
