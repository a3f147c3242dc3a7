"""Span metrics: calls, errors and durations of every span, counted before sampling. Pure."""

from alerting.base import Document
from components.collector import shared_config

# Bucket boundaries. They include the thresholds of rules and objectives (0.5, 1, 5, 10 and 30 s), because a quantile or
# a share is exact only at a boundary. The boundaries below 0.5 s resolve fast services.
_BUCKETS = ("5ms", "10ms", "25ms", "50ms", "100ms", "250ms", "500ms", "1s", "2.5s", "5s", "10s", "30s", "60s")
_NAMESPACE = "k8s.namespace.name"


def connector(scrape_interval: str) -> Document:
    """The connector that counts spans; Prometheus scrapes its series every `scrape_interval`."""
    return {
        "histogram": {"unit": "s", "explicit": {"buckets": list(_BUCKETS)}},
        # Links a bucket to a trace that is kept, see sampling.exemplar_filter.
        "exemplars": {"enabled": True, "max_per_data_point": 2},
        # Dimensions are service, span name, kind and status. Span attributes are excluded, because their values are
        # arbitrary. The label `pod`, which Prometheus adds, identifies the gateway that counted.
        "exclude_dimensions": ["collector.instance.id"],
        # Two namespaces may have a service of one name. The agent sets the attribute, see claims.
        "dimensions": [{"name": _NAMESPACE}],
        # All pods of a service share the same series. Separate series would have equal labels and overwrite each other.
        "resource_metrics_key_attributes": ["service.name", _NAMESPACE],
        # Series for each service of a namespace. Further spans count into a series named `otel_metric_overflow`.
        "aggregation_cardinality_limit": 1000,
        # An exemplar lasts for one interval. An interval equal to the scrape interval exposes each exemplar once.
        "metrics_flush_interval": shared_config.go_duration(scrape_interval),
        # Removes the series of deleted services. Counting restarts at zero after an expiry, so the time is much longer
        # than usual pauses between calls.
        "metrics_expiration": "6h",
        "series_expiration": "6h",
    }


def no_resource() -> Document:
    """Drops resource attributes of span metrics, which the exporter would turn into the labels `job` and `instance`."""
    return {"metric_statements": [{"statements": ['delete_matching_keys(resource.attributes, ".*")']}]}
