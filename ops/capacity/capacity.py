"""The resources that a workload needs in each part of the platform, and those that the settings provide. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from alerting.durations import seconds
from ops.capacity.sizing import Sizing
from ops.capacity.workload import Workload
from settings import sizes
from settings.quantities import quantity_bytes

GIB = 2**30
GB = 1e9
DAY = 86_400.0

# Prometheus' storage documentation counts 1 to 2 bytes per sample after compression, index included.
SAMPLE_BYTES = 2.0
# Write-ahead log: per sample 8 bytes of value and about 5 of series and time (robustperception.io, "How much space does
# the WAL take up"), compressed to about half; up to three hours of it are kept.
_WAL_BYTES = 13 / 2
_WAL_SECONDS = 3 * 3600
# Working memory per active series with churn, rules and queries: the upper half of what sizing guides give (2 KiB for
# the head alone by robustperception.io, 7 to 9 KiB for a server in use).
SERIES_BYTES = 8 * 1024
# Memory of a Prometheus without series.
_PROMETHEUS_BASE = 200 * 2**20
# Bytes per scraped sample, compressed by HTTP.
SCRAPED_BYTES = 12.0

# Snappy compresses log lines with repeating keys to a quarter of their size or less.
LOG_COMPRESSION = 4.0
# Loki's defaults: a chunk is flushed when it reaches this size or this age.
CHUNK_BYTES = 1_572_864.0
CHUNK_SECONDS = 2 * 3600.0
_INDEX_SECONDS = 60.0 * 15  # how often each replica uploads its index
_COMPACTION_REQUESTS = 10
_CHUNKS_PER_QUERY = 100
# Assumed ratio of peak traffic to the day's mean.
PEAK = 3.0

# Bytes of a span with its attributes, in Badger, in an OpenSearch index and on the wire.
SPAN_BYTES = 1_000.0
MONTH = 730 * 3600.0
"""Seconds of a month of 730 hours, which AWS uses."""


@dataclass(frozen=True, kw_only=True)
class Need:
    """One resource of one part: the amount that the workload needs and the amount that the settings provide."""

    part: str
    what: str
    needed: float
    given: float
    unit: str
    settings: str
    """Settings keys that change `given`."""

    @property
    def fits(self) -> bool:
        """Whether the settings provide enough."""
        return self.needed <= self.given


@dataclass(frozen=True, kw_only=True)
class Flows:
    """Amounts of data transferred and stored, per month unless a field says otherwise."""

    samples_per_second: float
    """For one Prometheus."""
    samples: float
    log_gb: float
    log_gb_kept: float
    """Stored in the bucket or on the volumes: compressed, all copies."""
    puts: float
    gets: float
    xray_gb: float
    """Spans of sampled traces that are sent to X-Ray."""
    spans_gb: float
    spans_gb_kept: float
    cross_zone_gb: float
    aws_gb: float
    """Sent to AWS services over their public addresses."""


def flows(sizing: Sizing, workload: Workload) -> Flows:
    """The amounts of data that the workload causes with these settings."""
    values = sizing.values
    samples_per_second = workload.series.value / seconds(values.scrape_interval)
    samples = samples_per_second * MONTH
    log_gb = workload.log_gb_per_day.value * MONTH / DAY
    copies = sizes.loki_replication(values.loki_replicas)
    kept_share = workload.error_ratio.value + (1 - workload.error_ratio.value) * values.trace_sampling_percentage / 100
    traces = workload.traces_per_second.value * MONTH
    span_gb = workload.spans_per_trace.value * SPAN_BYTES / GB
    opensearch = values.jaeger_storage_backend == "opensearch"
    kept = sizes.opensearch_hours(values.jaeger_retention) * 3600 if opensearch else seconds(values.jaeger_retention)
    other_zone = 1 - 1 / workload.zones.value
    scraped_gb = samples * values.prometheus_replicas * SCRAPED_BYTES / GB
    xray_gb = traces * kept_share * span_gb if values.xray else 0.0
    remote_gb = samples * SCRAPED_BYTES / GB if values.writes_to_aws else 0.0
    return Flows(
        samples_per_second=samples_per_second,
        samples=samples,
        log_gb=log_gb,
        log_gb_kept=workload.log_gb_per_day.value * seconds(values.loki_retention) / DAY * copies / LOG_COMPRESSION,
        puts=_puts(sizing, workload) if sizing.stores_logs_in_s3 else 0.0,
        gets=_gets(workload) if sizing.stores_logs_in_s3 else 0.0,
        xray_gb=xray_gb,
        spans_gb=traces * span_gb,
        spans_gb_kept=workload.traces_per_second.value * kept_share * kept * span_gb,
        # Agents to gateways, gateways to Loki and its copies, sampled traces to Jaeger, targets to each Prometheus.
        cross_zone_gb=other_zone * (log_gb * (1 + copies) + traces * span_gb * (1 + kept_share) + scraped_gb),
        aws_gb=remote_gb + xray_gb,
    )


def _puts(sizing: Sizing, workload: Workload) -> float:
    """Write requests: chunks flushed by age or by size, whichever is more, plus index files and compaction."""
    values = sizing.values
    copies = sizes.loki_replication(values.loki_replicas)
    by_age = workload.log_streams.value * MONTH / CHUNK_SECONDS
    by_size = workload.log_gb_per_day.value * GB * MONTH / DAY / LOG_COMPRESSION / CHUNK_BYTES
    index = values.loki_replicas * MONTH / _INDEX_SECONDS
    return copies * max(by_age, by_size) + index + _COMPACTION_REQUESTS * MONTH / (sizes.LOKI_COMPACTION_MINUTES * 60)


def _gets(workload: Workload) -> float:
    queries = workload.log_queries_per_day.value * MONTH / DAY * _CHUNKS_PER_QUERY
    return queries + _COMPACTION_REQUESTS * MONTH / (sizes.LOKI_COMPACTION_MINUTES * 60)


def needs(sizing: Sizing, workload: Workload) -> list[Need]:
    """The needed disk, memory and rates of every part that the workload can overload."""
    flow = flows(sizing, workload)
    return [*_metrics(sizing, workload, flow), *_logs(sizing, workload, flow), *_traces(sizing, workload, flow)]


def _metrics(sizing: Sizing, workload: Workload, flow: Flows) -> Iterator[Need]:
    values = sizing.values
    per_second = flow.samples_per_second
    blocks = seconds(values.prometheus_retention) * per_second * SAMPLE_BYTES
    yield Need(
        part="Prometheus",
        what="disk for the whole retention",
        needed=(blocks + per_second * _WAL_BYTES * _WAL_SECONDS) / GIB,
        given=quantity_bytes(values.prometheus_storage) * sizes.PROMETHEUS_USABLE / GIB,
        unit="GiB",
        settings="prometheusStorage, prometheusRetention, scrapeInterval",
    )
    yield Need(
        part="Prometheus",
        what="memory",
        needed=(_PROMETHEUS_BASE + workload.series.value * SERIES_BYTES) / GIB,
        given=quantity_bytes(values.prometheus_memory) / GIB,
        unit="GiB",
        settings="prometheusMemory",
    )


def _logs(sizing: Sizing, workload: Workload, flow: Flows) -> Iterator[Need]:
    values = sizing.values
    # With a bucket, the volume holds only data that is not uploaded yet; without one, it holds the whole retention.
    unflushed = (
        workload.log_gb_per_day.value * GB * PEAK * CHUNK_SECONDS / DAY * sizes.loki_replication(values.loki_replicas)
    )
    stored = 0.0 if sizing.stores_logs_in_s3 else flow.log_gb_kept * GB
    yield Need(
        part="Loki",
        what="disk of each replica",
        needed=(unflushed / values.loki_replicas + stored) / GIB,
        given=quantity_bytes(values.loki_storage) * 0.9 / GIB,
        unit="GiB",
        settings="lokiStorage, lokiRetention" if not sizing.stores_logs_in_s3 else "lokiStorage",
    )
    yield Need(
        part="Loki",
        what="active streams",
        needed=workload.log_streams.value,
        given=int(quantity_bytes(values.loki_memory) * sizes.LOKI_STREAMS_SHARE / sizes.LOKI_STREAM_BYTES)
        * values.loki_replicas
        / sizes.loki_replication(values.loki_replicas),
        unit="streams",
        settings="lokiMemory, lokiReplicas",
    )
    yield Need(
        part="Loki",
        what="ingestion at peak",
        needed=workload.log_gb_per_day.value * 1000 / DAY * PEAK,
        given=sizes.LOKI_MB_PER_SECOND,
        unit="MB/s",
        settings="LOKI_MB_PER_SECOND in settings/sizes.py",
    )


def _traces(sizing: Sizing, workload: Workload, flow: Flows) -> Iterator[Need]:
    values = sizing.values
    waiting = workload.traces_per_second.value * PEAK * seconds(values.trace_decision_wait)
    memory = quantity_bytes(values.collector_memory) * sizes.GATEWAY_TRACES_SHARE * values.collector_replicas
    yield Need(
        part="Collector",
        what="traces that wait for their decision, at peak",
        needed=waiting,
        given=memory / sizes.GATEWAY_TRACE_BYTES,
        unit="traces",
        settings="collectorMemory, collectorReplicas, traceDecisionWait",
    )
    if values.jaeger_storage_backend == "badger":
        given = float(quantity_bytes(values.jaeger_storage))
        keys = "jaegerStorage, jaegerRetention, traceSamplingPercentage"
    elif values.opensearch_domain:
        # Each index has one copy on another instance; OpenSearch needs a quarter of the disk to stay free.
        given = quantity_bytes(values.opensearch_storage) * values.opensearch_instances * 0.75 / 2
        keys = "opensearchStorage, opensearchInstances, jaegerRetention, traceSamplingPercentage"
    else:
        return
    yield Need(
        part="Jaeger",
        what="disk for the whole retention",
        needed=flow.spans_gb_kept * GB / GIB,
        given=given / GIB,
        unit="GiB",
        settings=keys,
    )
