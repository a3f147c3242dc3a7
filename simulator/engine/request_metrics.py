"""The registry of the API's metrics, which the instrumentation package counts."""

from prometheus_client import CollectorRegistry


class RequestMetrics:
    """Registry in which the API's requests are counted."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

    def advance(self) -> None:
        """Does nothing: a request is counted when it is answered."""
