"""Media upload's faults, including those of its SLOs.

As in job_queue.py, the condition is true from the first scrape on. Failed uploads also spend the error budget of their
SLO, and a fast burn always exceeds the limit of the slow burn, so these alerts fire together.
"""

from simulator.engine.faults import Fault
from simulator.engine.signals import Dilution, Durations, Events, Flood, Level

_HOUR = 3600.0
_GOOD = Events(metric="media_uploads_total", labels={"status": "success"})
_BAD = Events(metric="media_uploads_total", labels={"status": "failure"}, bad=True)
_FAST = Durations(metric="gateway_request_duration_seconds", labels={"route": "/uploads"}, median=0.08)
_SLOW = Durations(metric="gateway_request_duration_seconds", labels={"route": "/uploads"}, median=2.0, bad=True)

# At the end, retried uploads succeed until the ratio over 6 h is below all limits of the SLOs (0.1 %, 5 %).
_UPLOADS_RETRIED = (Dilution(good=_GOOD, share=0.0007, window=6 * _HOUR),)
_REQUESTS_FAST = (Dilution(good=_FAST, share=0.035, window=6 * _HOUR),)


def _uploads(*, good: float = 0.0, bad: float) -> tuple[Events, Events]:
    """Additional uploads per second, besides the two healthy ones."""
    return (
        Events(metric=_GOOD.metric, labels=_GOOD.labels, per_second=good),
        Events(metric=_BAD.metric, labels=_BAD.labels, per_second=bad, bad=True),
    )


def _slow_requests(per_second: float) -> Durations:
    return Durations(metric=_SLOW.metric, labels=_SLOW.labels, per_second=per_second, median=_SLOW.median, bad=True)


FAULTS = (
    Fault(
        alert="MediaUploadFailureRateHigh",
        text="15 % of the uploads fail, including those of the last five minutes; retried ones succeed at the end. The "
        "limit is 5 %. On a young stack the SLO's budget burns as well.",
        signals=(Flood(good=_GOOD, bad=_BAD, share=1.0, times=0.15, window=300.0), *_uploads(bad=0.36)),
        after=_UPLOADS_RETRIED,
    ),
    Fault(
        alert="MediaUploadSlow",
        text="Half of the uploads take 20 s; the alert's limit is a p95 of 10 s.",
        # Five minutes have 600 healthy uploads; a fifth of the 200 slow ones changes the 95th percentile.
        signals=(Durations(metric="media_upload_duration_seconds", per_second=2.0, median=20.0, burst=200),),
    ),
    Fault(
        alert="MediaStorageOperationFailures",
        text="Some writes to the object store fail; any failure alerts.",
        signals=(
            Events(
                metric="media_storage_operations_total",
                labels={"operation": "put", "status": "failure"},
                per_second=0.5,
                burst=5,
            ),
        ),
    ),
    Fault(
        alert="MediaReconciliationErrors",
        text="Media without a record are found; any alerts, for ten minutes after the last one.",
        signals=(Events(metric="media_reconciliation_errors_total", per_second=0.05, burst=3),),
    ),
    Fault(
        alert="DatabasePoolExhausted",
        text="95 of PostgreSQL's 100 connections are taken; the alert's limit is 80 %.",
        signals=(Level(metric="pg_connections", value=95),),
    ),
    Fault(
        alert="ConsumerLag",
        text="20,000 messages wait for one consumer; the alert's limit is 10,000.",
        signals=(
            Level(
                metric="nats_consumer_num_pending",
                labels={"stream": "media.uploaded", "consumer": "variant-generator"},
                value=20_000,
            ),
        ),
    ),
    Fault(
        alert="HighGraphQLErrorRate",
        text="A seventh of the GraphQL requests fails; the alert's limit is 1 %.",
        signals=(
            Events(
                metric="graphql_requests_total",
                labels={"operation": "createUpload", "status": "error"},
                per_second=0.5,
                burst=150,
            ),
        ),
    ),
    Fault(
        alert="RedisMemoryHigh",
        text="Redis uses 97 % of its memory; the alert's limit is 90 %.",
        signals=(Level(metric="redis_memory_used_bytes", value=970e6),),
    ),
    Fault(
        alert="OpenSearchClusterRed",
        text="The cluster's status is red.",
        signals=(
            Level(metric="opensearch_cluster_status", value=2),
            Level(metric="opensearch_cluster_shards_number", labels={"type": "unassigned"}, value=3),
        ),
    ),
    Fault(
        alert="MediaUploadAvailabilityBudgetBurnFast",
        text="As many uploads as in the last hour, 4 % of which fail, and 3 % of later ones; the limits are 1.4 % in "
        "an hour and 0.6 % in 6 hours; 5 % would fire MediaUploadFailureRateHigh. Retried ones succeed at the end.",
        signals=(
            Flood(good=_GOOD, bad=_BAD, share=0.04, times=1.0, window=_HOUR, least=2000),
            *_uploads(good=4.8, bad=0.21),
        ),
        after=_UPLOADS_RETRIED,
    ),
    Fault(
        alert="MediaUploadAvailabilityBudgetBurnSlow",
        text="0.4 % of very many uploads fail; the limits are 0.1 % in 3 days and 6 hours; 0.6 % would be a fast burn. "
        "Retried ones succeed at the end.",
        signals=(
            Flood(good=_GOOD, bad=_BAD, share=0.004, times=0.6, window=72 * _HOUR, least=5000),
            *_uploads(good=2.5, bad=0.01),
        ),
        after=_UPLOADS_RETRIED,
    ),
    Fault(
        alert="MediaUploadAvailabilityMetricsMissing",
        text="The count of uploads is not exposed.",
        hides=("media_uploads_total",),
    ),
    Fault(
        alert="MediaGatewayLatencyBudgetBurnFast",
        text="3.5 times as many requests as in an hour, all of them slow, and four fifths of later ones; the "
        "limits are 72 % in an hour and 30 % in 6 hours. Many fast ones follow at the end.",
        signals=(
            Flood(good=_FAST, bad=_SLOW, share=1.0, times=3.5, window=_HOUR, least=500),
            _slow_requests(8.0),
        ),
        after=_REQUESTS_FAST,
    ),
    Fault(
        alert="MediaGatewayLatencyBudgetBurnSlow",
        text="As many requests as in 3 days, 16 % of which are slow; the limits are 5 % in 3 days and 6 hours; 30 % "
        "would be a fast burn. Many fast ones follow at the end.",
        signals=(
            Flood(good=_FAST, bad=_SLOW, share=0.16, times=1.0, window=72 * _HOUR, least=1000),
            _slow_requests(0.3),
        ),
        after=_REQUESTS_FAST,
    ),
    Fault(
        alert="MediaGatewayLatencyMetricsMissing",
        text="The duration of the gateway's requests is not exposed.",
        hides=("gateway_request_duration_seconds",),
    ),
)
