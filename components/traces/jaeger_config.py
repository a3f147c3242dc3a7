"""Jaeger's configuration: receivers, storage and retention of traces, and the UI's data sources.

Pure: converts settings to YAML. Jaeger 2 is built from the collector's parts and reads the collector's format.
"""

from dataclasses import dataclass, field
from typing import Literal

from alerting.base import Document
from alerting.loader import write_yaml
from components.collector.shared_config import go_duration, own_telemetry
from settings import sizes
from settings.apps import JAEGER, OTLP_GRPC, OTLP_HTTP

StorageBackend = Literal["badger", "opensearch"]
STORAGE_BACKENDS: tuple[StorageBackend, ...] = ("badger", "opensearch")
"""Supported storage backends of traces."""

INDEX_PREFIX = "observability"
INDICES = f"{INDEX_PREFIX}-jaeger"
"""Indices in OpenSearch are named INDICES-span-2026-11-21 and the like."""
CLUSTER_ACTIONS = (
    # Its client asks for the version, and its start installs the templates.
    "cluster:monitor/main",
    "indices:admin/template/put",
    "indices:data/write/bulk",
    "indices:data/read/msearch",
    "indices:data/read/scroll*",
)
"""What Jaeger does in OpenSearch that no index limits."""
READS = ("indices:data/read/search*", "indices:data/read/msearch*")
"""What Jaeger reads of its indices."""
USERNAME_ENV = "OPENSEARCH_USERNAME"
PASSWORD_ENV = "OPENSEARCH_PASSWORD"  # noqa: S105 -- a name


@dataclass(frozen=True, kw_only=True)
class Listen:
    """Addresses that Jaeger listens on. Pods use the defaults; several Jaegers on one machine need different ports."""

    host: str = "0.0.0.0"  # noqa: S104 -- a pod; network policies decide who may connect to it
    """For Go this means all addresses, including IPv6 if the kernel has it. `::` fails on kernels without IPv6."""
    grpc: int = OTLP_GRPC
    """OTLP over gRPC."""
    http: int = OTLP_HTTP
    """OTLP over HTTP."""
    query: int = JAEGER.port
    """UI and HTTP API."""
    query_grpc: int = 16685
    metrics: int = 8888
    health: int = 13133


@dataclass(frozen=True, kw_only=True)
class JaegerConfig:
    """Inputs of Jaeger's configuration."""

    retention: str
    """Prometheus duration after which a trace is deleted."""
    prometheus: str
    """URL of the Prometheus with the span metrics, for the page `Monitor`."""
    storage: StorageBackend = "badger"
    opensearch_urls: list[str] = field(default_factory=list[str])
    opensearch_replicas: int = 1
    """Copies of each shard. An OpenSearch with one node cannot place any."""
    data_folder: str = "/var/lib/jaeger"
    """Folder of Badger's files."""
    listen: Listen = field(default_factory=Listen)


def render(config: JaegerConfig) -> str:
    """The YAML that Jaeger reads.

    There is no batch processor and no queue. Jaeger acknowledges a request when its spans are stored. The gateways
    batch, queue and retry.
    """
    listen = config.listen
    document: Document = {
        "extensions": {
            "healthcheckv2": {"use_v2": True, "http": {"endpoint": f"{listen.host}:{listen.health}"}},
            "jaeger_storage": {
                "backends": {"traces": {config.storage: _backend(config)}},
                "metric_backends": {
                    "span_metrics": {
                        "prometheus": {
                            "endpoint": config.prometheus,
                            # These settings result in the names of the gateways' metrics:
                            # traces_span_metrics_calls_total and traces_span_metrics_duration_seconds_bucket.
                            "metric_namespace": "traces_span_metrics",
                            "normalize_calls": True,
                            "normalize_duration": True,
                            "latency_unit": "s",
                        }
                    }
                },
            },
            "jaeger_query": {
                "storage": {"traces": "traces", "metrics": "span_metrics"},
                # Otherwise Jaeger would store traces of its own queries, without sampling.
                "enable_tracing": False,
                "http": {"endpoint": f"{listen.host}:{listen.query}"},
                "grpc": {"endpoint": f"{listen.host}:{listen.query_grpc}"},
            },
        },
        "receivers": {
            "otlp": {
                "protocols": {
                    "grpc": {
                        "endpoint": f"{listen.host}:{listen.grpc}",
                        "max_recv_msg_size_mib": sizes.RECEIVER_BYTES // 2**20,
                        # The gateways ping; see shared_config.otlp_receiver.
                        "keepalive": {"enforcement_policy": {"min_time": "10s", "permit_without_stream": True}},
                    },
                    "http": {"endpoint": f"{listen.host}:{listen.http}"},
                }
            }
        },
        "exporters": {"jaeger_storage_exporter": {"trace_storage": "traces"}},
        "service": {
            "extensions": ["healthcheckv2", "jaeger_storage", "jaeger_query"],
            "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["jaeger_storage_exporter"]}},
            "telemetry": own_telemetry(listen.host, listen.metrics),
        },
    }
    return write_yaml(document)


def _backend(config: JaegerConfig) -> Document:
    retention = go_duration(config.retention)
    if config.storage == "badger":
        return {
            "ephemeral": False,
            "directories": {"keys": f"{config.data_folder}/keys", "values": f"{config.data_folder}/values"},
            "ttl": {"spans": retention},
        }
    index: Document = {"replicas": config.opensearch_replicas}
    return {
        "server_urls": config.opensearch_urls,
        # From the environment, so that only a Secret contains them.
        "auth": {"basic": {"username": f"${{env:{USERNAME_ENV}}}", "password": f"${{env:{PASSWORD_ENV}}}"}},
        # One index for each day and category. Jaeger only limits its queries: an index policy of OpenSearch deletes
        # the indices.
        "indices": {
            "index_prefix": INDEX_PREFIX,
            **{category: dict(index) for category in ("spans", "services", "dependencies", "sampling")},
        },
        "max_span_age": retention,
    }
