"""Sizes and shares that the programs' configurations and the capacity check have in common."""

import math

from alerting.durations import seconds

PROMETHEUS_USABLE = 0.85
"""Share of Prometheus' volume for blocks. The rest is for the write-ahead log and for compaction, which writes new
blocks before it deletes the old ones."""

# Share of a server's memory that the series of one target may take, and the memory of a series with its labels.
_TARGET_SHARE = 0.25
_SERIES_BYTES = 8 * 1024

# Share of a server's memory that the scrape jobs of monitors may take, without their series. A job of one endpoint took
# 104 kB when measured, most of it compiled expressions; while the configuration is read again, it is there twice.
_MONITORS_SHARE = 0.1
_MONITOR_BYTES = 200 * 1024
_MOST_MONITORS = 2000
"""Endpoints of all monitors in a server of any size: the program that reads them holds them in its memory, too."""
_MOST_OF_A_NAMESPACE = 100

LOKI_RETENTION_ALLOWED = "whole days, at least 1d, such as 30d, 2w or 48h"
LOKI_STREAMS_SHARE = 0.25
"""Share of a replica's memory that streams may take."""
LOKI_STREAM_BYTES = 16 * 1024
"""Memory of one stream. A stream of five short lines took 6 KiB when measured; the few busy streams hold up to
2 MiB."""
LOKI_MB_PER_SECOND = 10
"""Volume of log lines that Loki accepts, in MB/s, for all services together. One stream may have half of it."""
LOKI_BURST_SECONDS = 2
"""Seconds of that volume that Loki accepts at once, for agents that send again after an interruption."""
LOKI_COMPACTION_MINUTES = 10
"""Time between two runs of Loki's compactor."""
_DAY = 86_400

GATEWAY_TRACES_SHARE = 0.4
"""Share of a gateway's memory for traces that wait for their sampling decision."""
GATEWAY_TRACE_BYTES = 20 * 1024
"""Memory of one waiting trace: about ten spans of 2 KiB."""

REQUEST_BYTES = 4 * 2**20
"""The largest request that an agent accepts from a program, uncompressed."""
BATCH_BYTES = 2 * REQUEST_BYTES
"""The largest batch that a queue sends. A queue drops a record above it, and all records behind that one in its
request, without counting them. A request may be one record, takes up to twice its size when JSON becomes protobuf, and
grows by the names of its pod."""
RECEIVER_BYTES = 2 * BATCH_BYTES
"""The largest request that a gateway or Jaeger accepts: any batch, with room."""
PUSHED_POINTS = 2000
"""Most points of one metric in a request of a program. OpenTelemetry's SDKs stop at the same number by default."""
PUSHED_DELTAS = 10_000
"""Most series that all programs of a node may push as deltas. The agent keeps the sum of each, about 1 KiB."""
LOG_ATTRIBUTES = 96
"""Most attributes of a log record. Loki takes 128; four of the resource and a dozen of its own come on top."""
LOG_ATTRIBUTE_BYTES = 4096
"""Longest value of a log record's attribute."""
LOG_ATTRIBUTE_NAME = 128
"""Most letters of the name of a log record's attribute."""
# Share of an agent's memory for traces that wait for gateways. The agent refuses data above 60 % of its memory.
_AGENT_QUEUES_SHARE = 0.25
_LARGEST_QUEUE = 16 * 2**20
# A batch larger than the queue would be refused forever.
_SMALLEST_QUEUE = BATCH_BYTES

# CPU cores and memory that each pod of an app requests, where no setting decides.
CPU = {
    "prometheus": 0.1,
    "monitor-reader": 0.01,
    "alertmanager": 0.02,
    "loki": 0.1,
    "jaeger": 0.05,
    "otel-gateway": 0.05,
    "otel-agent": 0.05,
    "otel-events": 0.01,
    "grafana": 0.05,
    "workspace-proxy": 0.05,
    "page-gate": 0.02,
    "kube-state-metrics": 0.01,
    "node-exporter": 0.01,
}
MEMORY = {
    "alertmanager": "128Mi",
    "node-exporter": "64Mi",
    "otel-events": "128Mi",
    # Holds the answers to long queries while it passes them on.
    "workspace-proxy": "256Mi",
    "page-gate": "64Mi",
    # Holds a page of the monitors, and the jobs of all.
    "monitor-reader": "128Mi",
}


def target_samples(memory_bytes: int) -> int:
    """Samples that one scraped pod may expose to a Prometheus with this memory limit."""
    return int(memory_bytes * _TARGET_SHARE / _SERIES_BYTES)


def monitored_endpoints(memory_bytes: int) -> tuple[int, int]:
    """Endpoints that all monitors may have in a Prometheus with this memory limit, and those of one namespace."""
    most = min(int(memory_bytes * _MONITORS_SHARE / _MONITOR_BYTES), _MOST_MONITORS)
    return most, min(most // 10, _MOST_OF_A_NAMESPACE)


def loki_retention_problem(text: str) -> str | None:
    """Why Loki cannot keep logs for this duration; None if it can. LOKI_RETENTION_ALLOWED says what is allowed.

    One day is Loki's own minimum. The compactor deletes by the age of each chunk. This program requires whole days
    because other limits are derived from the retention.
    """
    try:
        retention = seconds(text)
    except ValueError as error:
        return str(error)
    if retention < _DAY:
        return "must be at least 1d: Loki keeps no less"
    return None if retention % _DAY == 0 else "must be whole days"


def opensearch_hours(retention: str) -> int:
    """Hours after which OpenSearch deletes an index of one day, so that all of that day is kept for a retention.

    `retention` is a Prometheus duration. The age of an index counts from its first document, so the last one is up to
    a day younger.
    """
    return math.ceil(seconds(retention) / 3600) + 24


def loki_replication(replicas: int) -> int:
    """Number of replicas that hold each line: three, or one if there are fewer than three.

    With two copies both replicas would have to acknowledge each write, so the restart of either would stop ingestion.
    """
    return 3 if replicas >= 3 else 1


def gateway_queue_bytes(memory_bytes: int, gateways: int) -> int:
    """Bytes of traces that an agent with this memory limit holds for each gateway that is unavailable.

    Raises ValueError if the gateways' share of the memory is too small for one request each.
    """
    size = int(memory_bytes * _AGENT_QUEUES_SHARE / gateways)
    if size < _SMALLEST_QUEUE:
        least = int(_SMALLEST_QUEUE * gateways / _AGENT_QUEUES_SHARE / 2**20)
        raise ValueError(
            f"an agent's memory of {memory_bytes // 2**20}Mi is too small for {gateways} gateways; "
            f"allowed: {least}Mi or more"
        )
    return min(size, _LARGEST_QUEUE)
