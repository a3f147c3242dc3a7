"""Common parts of both collectors' configurations: addresses, own telemetry, queues and retries."""

from dataclasses import dataclass

from alerting.base import Document
from alerting.durations import seconds
from settings import sizes
from settings.apps import OTLP_GRPC, OTLP_HTTP


@dataclass(frozen=True, kw_only=True)
class Listen:
    """Addresses that a collector listens on. Pods use the defaults; collectors on one machine need different ports."""

    host: str = "0.0.0.0"  # noqa: S104 -- a pod; network policies decide who may connect to it
    """For Go this means all addresses, including IPv6 if the kernel has it. `::` fails on kernels without IPv6."""
    grpc: int = OTLP_GRPC
    """OTLP over gRPC."""
    http: int = OTLP_HTTP
    """OTLP over HTTP."""
    metrics: int = 8888
    """The collector's own metrics."""
    span_metrics: int = 8889
    """RED metrics computed from spans; gateways only."""
    health: int = 13133


def milliseconds(duration: str) -> int:
    """Whole milliseconds of a Prometheus duration."""
    return round(seconds(duration) * 1000)


def go_duration(duration: str) -> str:
    """Converts a Prometheus duration to whole milliseconds, because Go supports neither days, weeks nor exponents."""
    return f"{milliseconds(duration)}ms"


def otlp_receiver(listen: Listen, request_bytes: int) -> Document:
    """A receiver of OTLP over gRPC and HTTP that refuses uncompressed requests above `request_bytes`, whole MiB.

    Senders learn the refusal. What a receiver takes must fit into every queue and receiver behind it.
    """
    return {
        "protocols": {
            "grpc": {
                "endpoint": f"{listen.host}:{listen.grpc}",
                "max_recv_msg_size_mib": request_bytes // 2**20,
                "keepalive": {
                    # Clients ping to detect dead nodes. By default, gRPC treats more than one ping in 5 minutes as an
                    # attack.
                    "enforcement_policy": {"min_time": "10s", "permit_without_stream": True},
                    # A client discovers new gateways when it reconnects.
                    "server_parameters": {"max_connection_age": "10m", "max_connection_age_grace": "30s"},
                },
            },
            "http": {
                "endpoint": f"{listen.host}:{listen.http}",
                "max_request_body_size": request_bytes,
            },
        }
    }


def grpc_client() -> Document:
    """Settings of all gRPC clients inside the cluster, where network policies control connections."""
    return {
        "tls": {"insecure": True},
        "timeout": "30s",
        # Without pings, a connection to a dead node hangs until the kernel closes it after a quarter of an hour.
        "keepalive": {"time": "20s", "timeout": "10s", "permit_without_stream": True},
    }


def memory_limiter() -> Document:
    """The first processor of every pipeline. It rejects requests, which senders retry, before the kernel kills.

    Percentages refer to the container's limit.
    """
    return {"check_interval": "1s", "limit_percentage": 80, "spike_limit_percentage": 20}


LONGEST_TRY = "1h"
"""How long one request of spans is repeated. Only requests under way count this time, four for each queue: so an outage
of a whole day loses four requests an hour, and a request that the store can never take holds the others for an hour."""


def retry_for_ever() -> Document:
    """Retries without a time limit while a backend is unavailable. The queue limits the amount of waiting data."""
    return {"enabled": True, "initial_interval": "1s", "max_interval": "15s", "max_elapsed_time": "0s"}


def retry_for(longest: str) -> Document:
    """Like `retry_for_ever`, but gives up after this time, and counts what is lost as failed to send."""
    return {**retry_for_ever(), "max_elapsed_time": longest}


def persistent_queue(size: int) -> Document:
    """A queue of `size` bytes on disk, whose consumers send in batches.

    Data is acknowledged when it is in this queue, and removed when the backend has it. Requests that a restart
    interrupts are sent again, so delivery is at least once. Batching must therefore happen after the queue: a `batch`
    processor before it would acknowledge data that is only in memory.
    """
    return {**unbatched_queue(size), "batch": batch()}


def unbatched_queue(size: int) -> Document:
    """The same queue with one request for each that came in, for a receiver that refuses requests as a whole."""
    return {"storage": "file_storage", "sizer": "bytes", "queue_size": size, "num_consumers": 4}


def batch() -> Document:
    """Batches of 0.25 MiB or more: few requests mean less work for backends. Large requests are split at the limit."""
    return {
        "sizer": "bytes",
        "flush_timeout": "500ms",
        "min_size": 2**20 // 4,
        "max_size": sizes.BATCH_BYTES,
    }


def file_storage(folder: str) -> Document:
    """Stores checkpoints and queues in `folder`.

    A killed process loses nothing. Without fsync, a node that loses power may lose the last seconds; with fsync, every
    request would wait for the disk.
    """
    return {
        "directory": folder,
        "create_directory": True,
        # Files never shrink without compaction: after a long outage they would fill the volume forever.
        "compaction": {"directory": folder, "on_start": True, "on_rebound": True, "cleanup_on_start": True},
    }


def health_check(listen: Listen) -> Document:
    """The endpoint for probes."""
    return {"endpoint": f"{listen.host}:{listen.health}"}


def own_telemetry(host: str, port: int) -> Document:
    """Own metrics of a collector or Jaeger, under the names in rules and dashboards, and logs from level warn.

    A retried request is not logged as a warning. The metric of the queue's size, and its alert, show it.
    """
    return {
        "metrics": {
            "level": "normal",
            "readers": [
                {
                    "pull": {
                        "exporter": {
                            "prometheus": {
                                "host": host,
                                "port": port,
                                "without_scope_info": True,
                                "without_type_suffix": True,
                                "without_units": True,
                            }
                        }
                    }
                }
            ],
        },
        "logs": {"level": "warn", "encoding": "json"},
    }


def go_memory_limit(memory_bytes: int) -> str:
    """GOMEMLIMIT for a container of this size. Above it, Go collects garbage more often to avoid an OOM kill."""
    return str(int(memory_bytes * 0.8))
