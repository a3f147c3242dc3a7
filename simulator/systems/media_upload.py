"""Media upload's metrics and healthy signals; media_upload_faults.py has the faults.

One pod represents the four services and the exporters of PostgreSQL, NATS, Redis, MinIO and OpenSearch.
"""

from simulator.engine.signals import Durations, Events, Level, Signal
from simulator.systems import contract

STORAGE_OPERATIONS = ("put", "get", "delete")
GRAPHQL_OPERATIONS = ("asset", "albums", "createUpload")
ROUTES = ("/graphql", "/uploads", "/media/{id}")
AUTH_REASONS = ("expired", "invalid", "missing")
CLIENTS = ("mobile", "web", "partner")
RESOLUTIONS = ("thumbnail", "720p", "1080p")
ASPECT_RATIOS = ("1:1", "4:3", "16:9")
CONSUMERS = (("media.uploaded", "variant-generator"), ("media.stored", "reconciler"))

METRICS = contract.metrics(
    "media-upload",
    buckets={
        "media_upload_duration_seconds": (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0),
        "gateway_request_duration_seconds": (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
        "variant_generation_duration_seconds": (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
    },
)


def _uploads() -> list[Signal]:
    # One in 20,000 uploads fails and one in 1,000 requests is slow: a twentieth and a fiftieth of the SLOs' budgets.
    signals: list[Signal] = [
        Events(metric="media_uploads_total", labels={"status": "success"}, per_second=2.0),
        Events(metric="media_uploads_total", labels={"status": "failure"}, per_second=0.0001, bad=True),
        Durations(metric="media_upload_duration_seconds", per_second=2.0, median=1.2),
        Events(metric="media_reconciliation_errors_total"),
    ]
    for operation in STORAGE_OPERATIONS:
        labels = {"operation": operation}
        signals += [
            Events(metric="media_storage_operations_total", labels={**labels, "status": "success"}, per_second=1.5),
            Events(metric="media_storage_operations_total", labels={**labels, "status": "failure"}),
        ]
    for resolution, median in zip(RESOLUTIONS, (0.15, 0.9, 2.2), strict=True):
        labels = {"resolution": resolution}
        signals.append(
            Durations(metric="variant_generation_duration_seconds", labels=labels, per_second=2.0, median=median)
        )
        for ratio in ASPECT_RATIOS:
            both = {**labels, "aspect_ratio": ratio}
            signals += [
                Events(metric="variant_generation_total", labels={**both, "status": "success"}, per_second=0.66),
                Events(metric="variant_generation_total", labels={**both, "status": "failure"}, per_second=0.002),
            ]
    return signals


def _gateway() -> list[Signal]:
    signals: list[Signal] = []
    duration, requests = "gateway_request_duration_seconds", "gateway_requests_total"
    for route in ROUTES:
        labels = {"route": route}
        signals += [
            Durations(metric=duration, labels=labels, per_second=0.7, median=0.08),
            Durations(metric=duration, labels=labels, per_second=0.0007, median=1.0, bad=True),
            Events(metric=requests, labels={**labels, "code": "200"}, per_second=0.69),
            Events(metric=requests, labels={**labels, "code": "404"}, per_second=0.01),
            Events(metric=requests, labels={**labels, "code": "500"}, per_second=0.0005),
        ]
    for operation in GRAPHQL_OPERATIONS:
        labels = {"operation": operation}
        signals += [
            Events(metric="graphql_requests_total", labels={**labels, "status": "ok"}, per_second=1.0),
            Events(metric="graphql_requests_total", labels={**labels, "status": "error"}, per_second=0.0005),
        ]
    signals += [
        Events(metric="gateway_auth_failures_total", labels={"reason": reason}, per_second=0.01)
        for reason in AUTH_REASONS
    ]
    signals += [
        Events(metric="gateway_rate_limited_total", labels={"client": client}, per_second=0.005) for client in CLIENTS
    ]
    return signals


def _infrastructure() -> list[Signal]:
    signals: list[Signal] = []
    for stream, consumer in CONSUMERS:
        labels = {"stream": stream, "consumer": consumer}
        signals += [
            Level(metric="nats_consumer_num_pending", labels=labels, value=40, wobble=0.5),
            Level(metric="nats_consumer_num_ack_pending", labels=labels, value=6, wobble=0.5),
        ]
    shards = {"active": 24, "relocating": 0, "initializing": 0, "unassigned": 0}
    signals += [
        Level(metric="opensearch_cluster_shards_number", labels={"type": state}, value=number)
        for state, number in shards.items()
    ]
    return [
        *signals,
        Level(metric="pg_connections", value=35, wobble=0.3),
        Level(metric="pg_max_connections", value=100),
        Level(metric="redis_memory_used_bytes", value=400e6, wobble=0.1),
        Level(metric="redis_memory_max_bytes", value=1e9),
        Events(metric="redis_keyspace_hits_total", per_second=90.0),
        Events(metric="redis_keyspace_misses_total", per_second=10.0),
        Events(metric="minio_s3_traffic_sent_bytes", per_second=4e6),
        Events(metric="minio_s3_traffic_received_bytes", per_second=1.5e6),
        Level(metric="minio_cluster_usage_total_bytes", value=400e9, wobble=0.001),
        Level(metric="minio_cluster_capacity_usable_total_bytes", value=1e12),
        Level(metric="opensearch_cluster_status", value=0),
    ]


HEALTHY: tuple[Signal, ...] = (*_uploads(), *_gateway(), *_infrastructure())
