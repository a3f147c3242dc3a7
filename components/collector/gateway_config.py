"""The gateway's configuration: span metrics of every trace, the sampling decision, and delivery to the backends.

Pure: converts settings to YAML.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from alerting.base import Document
from alerting.loader import write_yaml
from components.collector import (
    log_limits,
    pushed_metrics,
    refused_requests,
    sampling,
    services,
    shared_config,
    span_limits,
    span_metrics,
    xray,
)
from components.collector.cuts import CUT
from components.collector.shared_config import Listen
from settings import sizes

LOG_INDEX_ENV = "LOG_INDEX_AUTHORIZATION"
"""Environment variable with the Authorization header for the log index."""

INDEX_LABELS = ("namespace", "app", "service")
"""Resource attributes of a log line that become labels of its stream in Loki."""
LOG_ATTRIBUTES = ("pod", "container", "node", "service_name")
"""Resource attributes that Loki stores beside the line, unindexed."""

# Longest name of a service that is stored beside the line.
_RESOURCE_BYTES = 256
# Share of the volume for full queues. The other half is for file overhead and compaction.
_QUEUES_SHARE = 1 / 2
# The volume is divided by at least this number of queues, so that enabling X-Ray does not shrink them.
_MIN_QUEUES = 5
# Concurrent requests to the log index, each with one line.
_INDEX_REQUESTS = 16


@dataclass(frozen=True, kw_only=True)
class GatewayConfig:
    """Inputs of the configuration, which is the same for all gateways."""

    sampling_percentage: float
    """Percentage of the other traces that is kept, 0 to 100. All that are slow or have an error are kept."""
    slow_trace: str
    """Prometheus duration from which on a trace is slow."""
    decision_wait: str
    """Prometheus duration from a trace's first span to its sampling decision; longer than most traces last."""
    scrape_interval: str
    """Prometheus duration between two scrapes of the span metrics."""
    memory_bytes: int
    """The container's limit."""
    storage_bytes: int
    """The volume's size."""
    jaeger: str
    """host:port of Jaeger's endpoint for OTLP over gRPC."""
    loki: str
    """URL of Loki's OTLP endpoint; the collector appends `/v1/logs`."""
    prometheus: Sequence[str]
    """host:port of each Prometheus, which all receive every metric that a program pushes."""
    oldest_line_hours: int
    """Age of the oldest line that Loki accepts, see loki_config.oldest_line_hours."""
    services: Mapping[str, Sequence[str]]
    """Namespace -> services that may become labels there, besides each pod's app; see services.known."""
    xray_region: str | None = None
    """Region in which X-Ray also receives the kept traces; None for no X-Ray.

    The collector looks for AWS credentials when it starts, and exits if it finds none.
    """
    log_index: str | None = None
    """URL of the OpenSearch endpoint that indexes one line for each request; None for no log index."""
    data_folder: str = "/var/lib/otel-gateway"
    listen: Listen = field(default_factory=Listen)


def render(config: GatewayConfig) -> str:
    """The YAML that the collector reads.

    Order: the memory limiter comes first, because it must reject data before any processing. Span metrics come before
    sampling, which by default leaves one trace in ten. Labels come last. Batching happens after the queues.
    """
    x_ray = config.xray_region is not None
    document: Document = {
        "extensions": {
            "health_check": shared_config.health_check(config.listen),
            "file_storage": shared_config.file_storage(config.data_folder),
            **({"sigv4auth": {"region": config.xray_region, "service": "xray"}} if x_ray else {}),
        },
        "receivers": {"otlp": shared_config.otlp_receiver(config.listen, sizes.RECEIVER_BYTES)},
        "processors": {
            "memory_limiter": shared_config.memory_limiter(),
            "tail_sampling": sampling.tail_sampling(
                percentage=config.sampling_percentage,
                slow=config.slow_trace,
                decision_wait=config.decision_wait,
                memory_bytes=config.memory_bytes,
            ),
            **span_limits.processors(),
            "transform/metric_labels": span_limits.metric_labels(config.services),
            "transform/exemplars": sampling.exemplar_filter(
                percentage=config.sampling_percentage, slow=config.slow_trace
            ),
            "transform/loki_labels": _loki_labels(config.services),
            "transform/log_limits": log_limits.processor(config.oldest_line_hours),
            "transform/no_resource": span_metrics.no_resource(),
            "transform/prometheus_labels": pushed_metrics.labels(config.services),
            # It passes each request on at once, and drops what a full queue refuses, which that queue counts: a server
            # that is down for long must not delay the others.
            "batch/apart": {"timeout": "0s"},
            **(xray.processors() if x_ray else {}),
            **(_INDEX_PROCESSORS if config.log_index else {}),
        },
        "connectors": {
            "span_metrics": span_metrics.connector(config.scrape_interval),
            "forward/metrics": {},
            "forward/sampling": {},
            **({"forward/xray": {}} if x_ray else {}),
        },
        "exporters": _exporters(config),
        "service": {
            "extensions": ["health_check", "file_storage", *(["sigv4auth"] if x_ray else [])],
            "pipelines": {
                "traces/all": {
                    "receivers": ["otlp"],
                    "processors": ["memory_limiter"],
                    "exporters": ["forward/metrics", "forward/sampling"],
                },
                "traces/metrics": {
                    "receivers": ["forward/metrics"],
                    "processors": ["transform/exemplars", "transform/metric_labels"],
                    "exporters": ["span_metrics"],
                },
                "traces/kept": {
                    "receivers": ["forward/sampling"],
                    "processors": ["tail_sampling", "transform/span_limits", "filter/events"],
                    "exporters": ["otlp_grpc/jaeger", *(["forward/xray"] if x_ray else [])],
                },
                **({"traces/xray": xray.PIPELINE} if x_ray else {}),
                "metrics": {
                    "receivers": ["span_metrics"],
                    "processors": ["transform/no_resource"],
                    "exporters": ["prometheus"],
                },
                "metrics/pushed": {
                    "receivers": ["otlp"],
                    "processors": ["memory_limiter", "transform/prometheus_labels", "batch/apart"],
                    "exporters": list(pushed_metrics.exporters(config.prometheus, 0)),
                },
                "logs": {
                    "receivers": ["otlp"],
                    "processors": ["memory_limiter", "transform/loki_labels", "transform/log_limits"],
                    "exporters": ["otlp_http/loki"],
                },
                **({"logs/index": _INDEX_PIPELINE} if config.log_index else {}),
            },
            "telemetry": refused_requests.telemetry(config.listen),
        },
    }
    return write_yaml(document)


def _loki_labels(names: Mapping[str, Sequence[str]]) -> Document:
    """Sets short labels for LogQL: `{namespace="speccursor", app="speccursor", service="controller"}`.

    A service name that must not become a label is stored beside the line as `service_name`; the app replaces it.
    """
    attribute = 'resource.attributes["{}"]'.format
    service = attribute("service")
    unfit = f"not {services.known('service', 'namespace', names)}"
    renamed = (
        ("namespace", "k8s.namespace.name"),
        ("pod", "k8s.pod.name"),
        ("container", "k8s.container.name"),
        ("node", "k8s.node.name"),
    )

    def fallback(to: str, source: str) -> str:
        return f"set({attribute(to)}, {attribute(source)}) where {attribute(to)} == nil and {attribute(source)} != nil"

    retained = ", ".join(f'"{name}"' for name in (*INDEX_LABELS, *LOG_ATTRIBUTES))
    resource = [
        *(f"set({attribute(to)}, {attribute(source)}) where {attribute(source)} != nil" for to, source in renamed),
        fallback("app", "k8s.container.name"),
        fallback("service", "service.name"),
        f"set({attribute('service_name')}, {service}) where {service} != nil and {unfit}",
        f'delete_key(resource.attributes, "service") where {unfit}',
        fallback("service", "app"),
        # Loki rejects streams without labels. Programs on the host network have none, as no pod has their address.
        f'set({service}, "unknown") where {service} == nil and {attribute("namespace")} == nil',
        # Loki would store all other attributes with every line.
        f"keep_keys(resource.attributes, [{retained}])",
        f'truncate_all(resource.attributes, {_RESOURCE_BYTES}, truncation_marker="{CUT}")',
    ]
    return {"error_mode": "ignore", "log_statements": [{"statements": resource}]}


# Loki has every line. The index has only lines that belong to a request, because it serves to look up requests.
_INDEX_PROCESSORS: Document = {
    "filter/requests": {
        "error_mode": "ignore",
        "logs": {"log_record": ['log.attributes["request_id"] == nil or log.attributes["request_id"] == ""']},
    },
    # This processor acknowledges lines at once, so that a long outage of the index never delays lines to Loki. When the
    # index queue is full, lines are dropped here and counted in otelcol_exporter_enqueue_failed_log_records.
    "batch/index": {"timeout": "200ms", "send_batch_size": 512},
}
_INDEX_PIPELINE: Document = {
    "receivers": ["otlp"],
    "processors": ["memory_limiter", "filter/requests", "transform/loki_labels", "transform/log_limits", "batch/index"],
    "exporters": ["otlp_http/log_index"],
}


def _log_index(endpoint: str, queue_bytes: int) -> Document:
    """Sends each document as one request in OTLP's JSON, which the ingest pipeline in OpenSearch parses.

    No exporter for OpenSearch's bulk API is usable: the Go module proxy does not serve the one for OpenSearch, and the
    one for Elasticsearch rejects any other server. Documents that OpenSearch rejects (400) are not retried, and neither
    are rejected logins.
    """
    return {
        "logs_endpoint": endpoint,
        "encoding": "json",
        "compression": "none",
        "headers": {"Authorization": f"${{env:{LOG_INDEX_ENV}}}"},
        "timeout": "30s",
        "max_idle_conns_per_host": _INDEX_REQUESTS,
        "retry_on_failure": shared_config.retry_for_ever(),
        "sending_queue": {
            **shared_config.persistent_queue(queue_bytes),
            "num_consumers": _INDEX_REQUESTS,
            "batch": {"sizer": "items", "flush_timeout": "200ms", "min_size": 1, "max_size": 1},
        },
    }


def _exporters(config: GatewayConfig) -> Document:
    queues = 2 + len(config.prometheus) + (config.xray_region is not None) + (config.log_index is not None)
    queue = int(config.storage_bytes * _QUEUES_SHARE / max(queues, _MIN_QUEUES))

    def delivery(retry: Document) -> Document:
        return {
            "retry_on_failure": retry,
            "sending_queue": shared_config.persistent_queue(queue),
        }

    # Jaeger answers as if it were busy when its store refuses spans. Loki says that it refuses a line for good.
    spans, lines = shared_config.retry_for(shared_config.LONGEST_TRY), shared_config.retry_for_ever()
    exporters: Document = {
        **pushed_metrics.exporters(config.prometheus, queue),
        "otlp_grpc/jaeger": {"endpoint": config.jaeger, **shared_config.grpc_client(), **delivery(spans)},
        # 429, 502, 503 and 504 are retried (Loki's OTLP endpoint returns 503 for its 500s). Of a request above Loki's
        # limit of streams, lines may be lost, see loki_config. 400 is not retried: Loki refused some lines for good,
        # which log_limits prevents, and otelcol_exporter_send_failed_log_records counts all lines of the request.
        "otlp_http/loki": {"endpoint": config.loki, "timeout": "30s", **delivery(lines)},
        "prometheus": {
            "endpoint": f"{config.listen.host}:{config.listen.span_metrics}",
            # Only this format has exemplars.
            "enable_open_metrics": True,
            "without_scope_info": True,
            # Not shorter than the connector's expiry, so that the connector decides when a series ends.
            "metric_expiration": "6h",
        },
    }
    if config.xray_region is not None:
        exporters["otlp_http/xray"] = xray.exporter(config.xray_region, delivery(spans))
    if config.log_index is not None:
        exporters["otlp_http/log_index"] = _log_index(config.log_index, queue)
    return exporters
