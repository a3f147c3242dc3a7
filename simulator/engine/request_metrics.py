"""The metrics of the API (telemetry contract, section 5); what counts is the instrumentation package."""

from prometheus_client import CollectorRegistry


class RequestMetrics:
    """Where the API's requests are counted."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

    def advance(self) -> None:
        """Nothing to do before a scrape: a request is counted when it is answered."""
