"""What the configurations of both collectors have in common: addresses, telemetry of their own, queues, retries."""

from dataclasses import dataclass

from alerting.base import Document
from alerting.durations import seconds
from settings import sizes


@dataclass(frozen=True, kw_only=True)
class Listen:
    """Addresses that a collector listens on. In a pod the defaults hold; ports differ where two share a machine."""

    host: str = "0.0.0.0"  # noqa: S104 -- a pod; network policies decide who may talk to it
    """To Go this means every address, of IPv6 too, where the kernel has it; `::` fails where the kernel has none."""
    grpc: int = 4317
    """OTLP over gRPC."""
    http: int = 4318
    """OTLP over HTTP."""
    metrics: int = 8888
    """The collector's own metrics."""
    span_metrics: int = 8889
    """RED metrics made of spans; gateways only."""
    health: int = 13133


def go_duration(duration: str) -> str:
    """A Prometheus duration as Go reads it, in whole milliseconds: Go knows neither days nor weeks nor exponents."""
    return f"{round(seconds(duration) * 1000)}ms"


def otlp_receiver(listen: Listen) -> Document:
    """OTLP by both protocols."""
    return {
        "protocols": {
            "grpc": {
                "endpoint": f"{listen.host}:{listen.grpc}",
                "keepalive": {
                    # Clients ping to notice a node that died without a word; gRPC takes more than one ping in 5 minutes
                    # for an attack unless told otherwise.
                    "enforcement_policy": {"min_time": "10s", "permit_without_stream": True},
                    # A client learns of new gateways when it connects again.
                    "server_parameters": {"max_connection_age": "10m", "max_connection_age_grace": "30s"},
                },
            },
            "http": {
                "endpoint": f"{listen.host}:{listen.http}",
                # As gRPC's default: what is taken must fit into every queue behind it.
                "max_request_body_size": sizes.REQUEST_BYTES,
            },
        }
    }


def grpc_client() -> Document:
    """Settings of every gRPC client inside the cluster, where network policies decide who may talk."""
    return {
        "tls": {"insecure": True},
        "timeout": "30s",
        # Without pings a connection to a dead node hangs until the kernel gives it up, after a quarter of an hour.
        "keepalive": {"time": "20s", "timeout": "10s", "permit_without_stream": True},
    }


def memory_limiter() -> Document:
    """First in every pipeline: refusing is better than being killed, because whoever is refused sends again.

    Percentages are of the container's limit.
    """
    return {"check_interval": "1s", "limit_percentage": 80, "spike_limit_percentage": 20}


def retry_for_ever() -> Document:
    """A backend that is away is waited for; how much may wait is the queue's decision."""
    return {"enabled": True, "initial_interval": "1s", "max_interval": "15s", "max_elapsed_time": "0s"}


def persistent_queue(size: int) -> Document:
    """A queue of `size` bytes on disk that batches what it sends.

    Data is acknowledged when it is in this queue and leaves it when the backend has it: what a restart interrupts is
    sent again, so delivery is at least once. Batching must therefore happen behind the queue: a `batch` processor
    before it would acknowledge what only memory holds.
    """
    return {
        "storage": "file_storage",
        "sizer": "bytes",
        "queue_size": size,
        "num_consumers": 4,
        "batch": batch(),
    }


def batch() -> Document:
    """Requests of a quarter to two MiB: backends work per request, and Loki's default message limit is 4 MiB."""
    return {
        "sizer": "bytes",
        "flush_timeout": "500ms",
        "min_size": 2**20 // 4,
        "max_size": 2 * 2**20,
    }


def file_storage(folder: str) -> Document:
    """Checkpoints and queues in `folder`.

    Nothing is lost when the process is killed. Without fsync a node that loses power may lose the last seconds; with it
    every request would wait for the disk.
    """
    return {
        "directory": folder,
        "create_directory": True,
        # Files never shrink by themselves: after a long outage they would fill the volume for ever.
        "compaction": {"directory": folder, "on_start": True, "on_rebound": True, "cleanup_on_start": True},
    }


def health_check(listen: Listen) -> Document:
    """Answers probes."""
    return {"endpoint": f"{listen.host}:{listen.health}"}


def own_telemetry(host: str, port: int) -> Document:
    """Own metrics of a collector or Jaeger, named as rules and dashboards ask for them, and warnings.

    A request that is tried again is no warning: the size of the queue and its alert tell of it, not these logs.
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
    """GOMEMLIMIT for a container of this size: above it Go collects garbage more often, before the kernel kills."""
    return str(int(memory_bytes * 0.8))
