"""Media Infrastructure: PostgreSQL, NATS, Redis, MinIO and OpenSearch, which the media services use."""

from typing import Any

from dashboards.builder import units
from dashboards.builder.dashboard import About, dashboard
from dashboards.builder.layout import Row, line, row
from dashboards.builder.look import GOOD, Look, Word
from dashboards.builder.panels import lines, single, states
from dashboards.builder.queries import prom, prom_last
from dashboards.builder.variables import label_values, namespace_of
from dashboards.media_upload import signals as media

_CONSUMER = f'{media.HERE}, stream=~"$stream", consumer=~"$consumer"'
_EXPORTED = "pg_connections|nats_consumer_num_pending|redis_memory_used_bytes|minio_.*|opensearch_cluster_status"
_STORED, _USABLE = (f"minio_cluster_{name}_total_bytes{{{media.HERE}}}" for name in ("usage", "capacity_usable"))


def build() -> dict[str, Any]:
    """The dashboard as JSON."""
    about = About(
        uid="media-infrastructure",
        title="Media Infrastructure",
        system="media-upload",
        purpose="Do the dependencies of the media services have room: PostgreSQL's connections, NATS' consumers, "
        "Redis' memory, MinIO's storage, OpenSearch's shards? Where an exporter is not deployed, panels stay empty.",
        runbooks=["DatabasePoolExhausted", "OpenSearchClusterRed", "ConsumerLag", "RedisMemoryHigh"],
        logs='{namespace=~"${namespace:pipe}", service=~"ingestor|gateway|variant-generator|reconciler"}',
        links=media.places(without="media-infrastructure"),
    )
    pending = f"nats_consumer_num_pending{{{media.HERE}}}"
    variables = [
        namespace_of("media-upload", f'{{__name__=~"{_EXPORTED}"}}'),
        label_values("stream", "stream", pending),
        label_values("consumer", "consumer", f'nats_consumer_num_pending{{{media.HERE}, stream=~"$stream"}}'),
    ]
    return dashboard(about, variables, [_now(), _postgres(), _nats(), _redis(), _minio(), _opensearch()])


def _now() -> Row:
    stored = single(
        "MinIO storage",
        "Share of the usable capacity in use.",
        prom(f"max({_STORED} / {_USABLE})", "used"),
        Look(unit=units.RATIO),
    )
    return row(
        "Now",
        line(
            media.pool_tile(),
            media.opensearch_tile(),
            media.pending_tile(),
            media.memory_tile(),
            stored,
            height=4,
        ),
    )


def _postgres() -> Row:
    by = "namespace, app, pod"
    return row(
        "PostgreSQL",
        line(
            lines(
                "Connection pool in use",
                "Share of the allowed connections that are open. Above the limit, new requests soon wait for a "
                "connection.",
                [prom(media.POOL, "{{pod}}")],
                Look(unit=units.RATIO, at_least=1, limits=media.POOL_FULL),
            ),
            lines(
                "Connections",
                "Open connections, and the allowed maximum.",
                [
                    prom(f"sum by ({by}) (pg_connections{{{media.HERE}}})", "{{pod}} open"),
                    prom(f"max by ({by}) (pg_max_connections{{{media.HERE}}})", "{{pod}} allowed"),
                ],
                Look(unit=units.COUNT),
            ),
        ),
    )


def _nats() -> Row:
    labels = "namespace, stream, consumer"
    name = "{{stream}} {{consumer}}"
    return row(
        "NATS",
        line(
            lines(
                "Messages that wait",
                "Messages not yet delivered to the consumer. They grow while more arrive than it takes.",
                [prom(f"max by ({labels}) (nats_consumer_num_pending{{{_CONSUMER}}})", name)],
                Look(unit=units.COUNT, at_least=100, limits=media.PENDING),
            ),
            lines(
                "Delivered, not acknowledged",
                "Messages that the consumer has not finished. At its limit (max_ack_pending) it gets no more.",
                [prom(f"max by ({labels}) (nats_consumer_num_ack_pending{{{_CONSUMER}}})", name)],
                Look(unit=units.COUNT, at_least=10),
            ),
            lines(
                "Growth of the lag",
                "Growth of the waiting messages per second; below 0 the consumer catches up.",
                [prom(f"max by ({labels}) (deriv(nats_consumer_num_pending{{{_CONSUMER}}}[$__rate_interval]))", name)],
                Look(unit=units.PER_SECOND, minimum=None),
            ),
        ),
    )


def _redis() -> Row:
    hits, misses = (
        f"sum by (namespace, app) (rate(redis_keyspace_{name}_total{{{media.HERE}}}[$__rate_interval]))"
        for name in ("hits", "misses")
    )
    return row(
        "Redis",
        line(
            lines(
                "Memory in use",
                "Share of the allowed memory. Empty without a limit (maxmemory 0).",
                [prom(f"max by (namespace, app, pod) ({media.MEMORY})", "{{pod}}")],
                Look(unit=units.RATIO, at_least=1, limits=media.MEMORY_HIGH),
            ),
            lines(
                "Memory",
                "Memory in use and the allowed maximum; 0 means no limit.",
                [
                    prom(f"max by (namespace, app, pod) (redis_memory_{kind}_bytes{{{media.HERE}}})", legend)
                    for kind, legend in (("used", "{{pod}} used"), ("max", "{{pod}} allowed"))
                ],
                Look(unit=units.BYTES),
            ),
            lines(
                "Hit rate",
                "Share of the lookups that find their key. A drop after a restart is a cold cache; a drop without a "
                "restart means that keys are evicted too early. Empty without lookups.",
                [prom(f"{hits} / ({hits} + {misses} > 0)", "{{namespace}} {{app}}")],
                Look(unit=units.RATIO, at_least=1),
            ),
        ),
    )


def _minio() -> Row:
    sent, received = (
        f"sum by (namespace, app) (rate(minio_s3_traffic_{name}_bytes{{{media.HERE}}}[$__rate_interval]))"
        for name in ("sent", "received")
    )
    return row(
        "MinIO",
        line(
            lines(
                "Bandwidth",
                "S3 traffic: sent are downloads, received are uploads.",
                [prom(sent, "{{app}} sent"), prom(received, "{{app}} received")],
                Look(unit=units.BYTES_PER_SECOND),
            ),
            lines(
                "Storage",
                "Storage in use and usable. Every server reports the whole cluster, so the maximum counts.",
                [
                    prom(f"max by (namespace, app) ({_STORED})", "{{app}} used"),
                    prom(f"max by (namespace, app) ({_USABLE})", "{{app}} usable"),
                ],
                Look(unit=units.BYTES),
            ),
            single(
                "Storage is full in",
                "Extrapolated from the time range.",
                prom_last(
                    f"min(({_USABLE} - {_STORED}) / (deriv({_STORED}[$__range]) > 0)) or on () 0 * max({_USABLE}) - 1",
                    "full in",
                ),
                Look(unit=units.SECONDS, words=(Word(value=-1, text="not growing", colour=GOOD),)),
            ),
            widths=(9, 9, 6),
        ),
    )


def _opensearch() -> Row:
    status = f"max by (namespace, app) (opensearch_cluster_status{{{media.HERE}}})"
    shards = f"max by (namespace, app, type) (opensearch_cluster_shards_number{{{media.HERE}}})"
    return row(
        "OpenSearch",
        line(
            states(
                "Cluster status",
                "Green: every shard has its copies. Yellow: a copy is missing. Red: a primary shard and its documents "
                "are missing; OpenSearchClusterRed pages after 2 minutes.",
                [prom(status, "{{namespace}} {{app}}")],
                Look(unit=units.EXACT, words=media.OPENSEARCH),
            ),
            lines(
                "Shards by type",
                "Unassigned shards make the status yellow or red. Relocating and initializing are temporary.",
                [prom(shards, "{{type}}")],
                Look(unit=units.EXACT),
            ),
            height=12,
        ),
    )
