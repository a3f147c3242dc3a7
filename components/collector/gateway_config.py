"""The gateway's configuration: span metrics of every trace, the sampling decision, and delivery to the backends.

Pure: settings in, YAML out.
"""

from dataclasses import dataclass, field

from alerting.base import Document
from alerting.loader import write_yaml
from components.collector import shared_config
from components.collector.shared_config import Listen
from settings import sizes

LOG_INDEX_ENV = "LOG_INDEX_AUTHORIZATION"
"""Environment variable with the header that the log index wants."""

INDEX_LABELS = ("namespace", "app", "service")
"""Resource attributes of a log line that Loki makes labels of its streams."""
LOG_ATTRIBUTES = ("pod", "container", "node", "service_name")
"""Resource attributes that Loki keeps beside the line, unindexed."""

# Boundaries in seconds: the thresholds that rules and objectives ask about (0.5, 1, 5, 10 and 30 s) are among them,
# because a quantile or a share is exact only at a boundary; below, the steps of a fast service.
_BUCKETS = ("5ms", "10ms", "25ms", "50ms", "100ms", "250ms", "500ms", "1s", "2.5s", "5s", "10s", "30s", "60s")
# What may become a label of a stream. Loki's streams are limited, and a name per request, user or pod would use them
# up: digits and hexadecimal digits in such numbers are an identifier.
_NAME = "^[a-z][a-z0-9._-]{0,62}$"
_IDENTIFIER = "[0-9a-f]{7}|([0-9][^0-9]*){7}"
# Of the volume, when every queue is full: half is left for the files' own overhead and compaction.
_QUEUES_SHARE = 1 / 2
# Fewer do not get more, so that a queue keeps its size when X-Ray is switched on.
_LEAST_QUEUES = 3
# Requests at a time to the log index, each of one line.
_INDEX_REQUESTS = 16


@dataclass(frozen=True, kw_only=True)
class GatewayConfig:
    """What the gateways need to know; all of them read the same."""

    sampling_percentage: float
    """Of the traces without an error, 0 to 100. Those with an error are all kept."""
    decision_wait: str
    """Prometheus duration from a trace's first span to the decision: longer than most traces take."""
    scrape_interval: str
    """Prometheus duration between two scrapes of the span metrics."""
    memory_bytes: int
    """The container's limit."""
    storage_bytes: int
    """The volume's size."""
    jaeger: str
    """host:port of Jaeger's OTLP over gRPC."""
    loki: str
    """URL of Loki's OTLP; `/v1/logs` is appended."""
    xray_region: str | None = None
    """Also sends kept traces to X-Ray in this region; None sends none.

    The collector looks for AWS credentials when it starts, and ends when it finds none.
    """
    log_index: str | None = None
    """URL of the log index' OpenSearch that takes one line a request; None for no log index."""
    data_folder: str = "/var/lib/otel-gateway"
    listen: Listen = field(default_factory=Listen)


def render(config: GatewayConfig) -> str:
    """The YAML that the collector reads.

    Order: the memory limiter first, as it must refuse before anything is done with the data; span metrics before
    sampling, since afterwards only one trace in ten is left to count; labels last. Batching is behind the queues.
    """
    x_ray = config.xray_region is not None
    document: Document = {
        "extensions": {
            "health_check": shared_config.health_check(config.listen),
            "file_storage": shared_config.file_storage(config.data_folder),
            **({"sigv4auth": {"region": config.xray_region, "service": "xray"}} if x_ray else {}),
        },
        "receivers": {"otlp": shared_config.otlp_receiver(config.listen)},
        "processors": {
            "memory_limiter": shared_config.memory_limiter(),
            "tail_sampling": _sampling(config),
            "transform/loki_labels": _loki_labels(),
            "transform/no_resource": _no_resource(),
            **(_INDEX_PROCESSORS if config.log_index else {}),
        },
        "connectors": {"span_metrics": _span_metrics(config), "forward/sampling": {}},
        "exporters": _exporters(config),
        "service": {
            "extensions": ["health_check", "file_storage", *(["sigv4auth"] if x_ray else [])],
            "pipelines": {
                "traces/all": {
                    "receivers": ["otlp"],
                    "processors": ["memory_limiter"],
                    "exporters": ["span_metrics", "forward/sampling"],
                },
                "traces/kept": {
                    "receivers": ["forward/sampling"],
                    "processors": ["tail_sampling"],
                    "exporters": ["otlp_grpc/jaeger", *(["otlp_http/xray"] if x_ray else [])],
                },
                "metrics": {
                    "receivers": ["span_metrics"],
                    "processors": ["transform/no_resource"],
                    "exporters": ["prometheus"],
                },
                "logs": {
                    "receivers": ["otlp"],
                    "processors": ["memory_limiter", "transform/loki_labels"],
                    "exporters": ["otlp_http/loki"],
                },
                **({"logs/index": _INDEX_PIPELINE} if config.log_index else {}),
            },
            "telemetry": shared_config.own_telemetry(config.listen.host, config.listen.metrics),
        },
    }
    return write_yaml(document)


def _sampling(config: GatewayConfig) -> Document:
    traces = int(config.memory_bytes * sizes.GATEWAY_TRACES_SHARE / sizes.GATEWAY_TRACE_BYTES)
    return {
        "decision_wait": shared_config.go_duration(config.decision_wait),
        "num_traces": traces,
        # Full: senders wait, and their queues hold what comes. Otherwise the oldest traces go, errors among them.
        "block_on_overflow": True,
        # A span that comes after its trace's decision follows it. An id takes some 100 bytes.
        "decision_cache": {"sampled_cache_size": 10 * traces, "non_sampled_cache_size": 10 * traces},
        # At a shutdown, what is there is decided.
        "drop_pending_traces_on_shutdown": False,
        # A trace is kept when one of them says so.
        "policies": [
            {"name": "errors", "type": "status_code", "status_code": {"status_codes": ["ERROR"]}},
            {
                "name": "share-of-the-rest",
                "type": "probabilistic",
                "probabilistic": {"sampling_percentage": config.sampling_percentage},
            },
        ],
    }


def _span_metrics(config: GatewayConfig) -> Document:
    return {
        "histogram": {"unit": "s", "explicit": {"buckets": list(_BUCKETS)}},
        # Links a bucket to a trace. Of traces without an error most are not kept: their link leads nowhere.
        "exemplars": {"enabled": True, "max_per_data_point": 2},
        # Dimensions are service, span name, kind and status: no attribute of a span, which anybody may fill. The
        # gateway that counted is in the label `pod` that Prometheus adds.
        "exclude_dimensions": ["collector.instance.id"],
        # All pods of a service count into the same series. With a series for each, those with equal labels would
        # overwrite each other.
        "resource_metrics_key_attributes": ["service.name"],
        # Series per service; what is above counts into one named `otel_metric_overflow`.
        "aggregation_cardinality_limit": 1000,
        # An exemplar lives for one interval: as long as from scrape to scrape, each is seen once.
        "metrics_flush_interval": shared_config.go_duration(config.scrape_interval),
        # A deleted service disappears. Much longer than a pause between calls: after it counting begins at zero.
        "metrics_expiration": "6h",
        "series_expiration": "6h",
    }


def _no_resource() -> Document:
    """Drops resource attributes of span metrics: the exporter would make them labels `job` and `instance`."""
    return {"metric_statements": [{"statements": ['delete_matching_keys(resource.attributes, ".*")']}]}


def _loki_labels() -> Document:
    """Names in LogQL are short: `{namespace="speccursor", app="speccursor", service="controller"}`.

    A service that no stream may be named after stays beside the line as `service_name`, and the label is its app.
    """
    attribute = 'resource.attributes["{}"]'.format
    service = attribute("service")
    unfit = f'not (IsString({service}) and IsMatch({service}, "{_NAME}")) or IsMatch({service}, "{_IDENTIFIER}")'
    renamed = (
        ("namespace", "k8s.namespace.name"),
        ("pod", "k8s.pod.name"),
        ("container", "k8s.container.name"),
        ("node", "k8s.node.name"),
    )

    def fallback(to: str, source: str) -> str:
        return f"set({attribute(to)}, {attribute(source)}) where {attribute(to)} == nil and {attribute(source)} != nil"

    kept = ", ".join(f'"{name}"' for name in (*INDEX_LABELS, *LOG_ATTRIBUTES))
    resource = [
        *(f"set({attribute(to)}, {attribute(source)}) where {attribute(source)} != nil" for to, source in renamed),
        fallback("app", "k8s.container.name"),
        fallback("service", "service.name"),
        f"set({attribute('service_name')}, {service}) where {service} != nil and ({unfit})",
        f'delete_key(resource.attributes, "service") where {unfit}',
        fallback("service", "app"),
        # Loki refuses a stream without a label: a program on the node's own network, which no pod's address tells.
        f'set({service}, "unknown") where {service} == nil and {attribute("namespace")} == nil',
        # All others would be stored with every line.
        f"keep_keys(resource.attributes, [{kept}])",
    ]
    # When the agent saw the line is no use to anybody, and different on each.
    record = ["set(log.observed_time_unix_nano, 0) where log.time_unix_nano != 0"]
    return {"error_mode": "ignore", "log_statements": [{"statements": resource}, {"statements": record}]}


# Loki has every line. The index has those that belong to a request, which is what one looks up there.
_INDEX_PROCESSORS: Document = {
    "filter/requests": {
        "error_mode": "ignore",
        "logs": {"log_record": ['log.attributes["request_id"] == nil or log.attributes["request_id"] == ""']},
    },
    # Acknowledges what it takes, so that an index that is away for long never keeps lines from Loki: when its queue is
    # full, lines are dropped here, and counted in otelcol_exporter_enqueue_failed_log_records.
    "batch/index": {"timeout": "200ms", "send_batch_size": 512},
}
_INDEX_PIPELINE: Document = {
    "receivers": ["otlp"],
    "processors": ["memory_limiter", "filter/requests", "transform/loki_labels", "batch/index"],
    "exporters": ["otlp_http/log_index"],
}


def _log_index(endpoint: str, queue_bytes: int) -> Document:
    """One document is one request: OTLP's JSON, which the pipeline in OpenSearch takes apart.

    No exporter of the collector's speaks to OpenSearch's bulk API and can be had from the Go module proxy: the one for
    OpenSearch is not served, and the one for Elasticsearch refuses any other server. What OpenSearch cannot take (400)
    is final, and so is a login that it refuses.
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
    queues = 2 + (config.xray_region is not None) + (config.log_index is not None)
    queue = int(config.storage_bytes * _QUEUES_SHARE / max(queues, _LEAST_QUEUES))

    def delivery() -> Document:
        return {
            "retry_on_failure": shared_config.retry_for_ever(),
            "sending_queue": shared_config.persistent_queue(queue),
        }

    exporters: Document = {
        "otlp_grpc/jaeger": {"endpoint": config.jaeger, **shared_config.grpc_client(), **delivery()},
        # 429, 502, 503 and 504 are tried again (Loki's OTLP gives 503 for its 500s): a request with a stream above
        # Loki's limit of streams too, see loki_config. 400 is final: a line too old or too long is dropped, and counted
        # in otelcol_exporter_send_failed_log_records.
        "otlp_http/loki": {"endpoint": config.loki, "timeout": "30s", **delivery()},
        "prometheus": {
            "endpoint": f"{config.listen.host}:{config.listen.span_metrics}",
            # Exemplars exist in this format only.
            "enable_open_metrics": True,
            "without_scope_info": True,
            # The connector decides when a series ends.
            "metric_expiration": "6h",
        },
    }
    if config.xray_region is not None:
        exporters["otlp_http/xray"] = {
            "traces_endpoint": f"https://xray.{config.xray_region}.{_dns_suffix(config.xray_region)}/v1/traces",
            "auth": {"authenticator": "sigv4auth"},
            # The signature covers the body as it is sent.
            "compression": "none",
            **delivery(),
        }
    if config.log_index is not None:
        exporters["otlp_http/log_index"] = _log_index(config.log_index, queue)
    return exporters


def _dns_suffix(region: str) -> str:
    """Of AWS' endpoints in this region; China has its own."""
    return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
