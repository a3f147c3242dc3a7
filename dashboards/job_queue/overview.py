"""Job Queue - Overview: is anything working, is work piling up, is work failing, do the dependencies fail."""

from typing import Any

from dashboards.builder import units
from dashboards.builder.dashboard import About, dashboard
from dashboards.builder.layout import Row, line, row
from dashboards.builder.look import Limits, Look
from dashboards.builder.panels import buckets, dials, lines
from dashboards.builder.queries import prom, prom_exemplars, quantile
from dashboards.builder.variables import label_values, namespace_of

_HERE = 'namespace=~"$namespace"'
_QUEUE = f'{_HERE}, queue=~"$queue"'
_PENDING_LIMIT = 1000  # the threshold of JobQueueDepthHigh


def build() -> dict[str, Any]:
    """The dashboard as JSON."""
    about = About(
        uid="job-queue-overview",
        title="Job Queue - Overview",
        system="job-queue",
        purpose="Is anything working, is work piling up, is work failing, and do the parts below fail: "
        "scheduler, Kafka, Redis, gRPC?",
        runbooks=[
            "JobQueueNoWorkers",
            "JobQueueDepthHigh",
            "JobQueueFailureRateHigh",
            "JobQueueSchedulerSlow",
            "JobQueueKafkaPublishErrorsSpiking",
            "JobQueueRedisErrors",
        ],
        logs='{namespace=~"${namespace:pipe}"}',
    )
    variables = [
        namespace_of("job-queue", "jq_queue_depth"),
        label_values("queue", "queue", f"jq_queue_depth{{{_HERE}}}"),
    ]
    return dashboard(about, variables, [_work(), _parts()])


def _work() -> Row:
    depth = dials(
        "Queue depth by queue and status",
        "Jobs that wait (PENDING) or run. Every server reports the whole queue, so the maximum counts.",
        prom(f"max by (namespace, queue, status) (jq_queue_depth{{{_QUEUE}}})", "{{queue}} {{status}}"),
        Look(
            unit=units.COUNT,
            maximum=1.5 * _PENDING_LIMIT,
            limits=Limits(warning=_PENDING_LIMIT, why="JobQueueDepthHigh alerts above 1000 pending jobs of a queue."),
        ),
    )
    throughput = lines(
        "Throughput",
        "Jobs submitted, completed and failed per second. The queue grows while more are submitted than finish.",
        [
            prom(f"sum(rate(jq_jobs_{event}_total{{{_QUEUE}}}[$__rate_interval]))", event)
            for event in ("submitted", "completed", "failed")
        ],
        Look(unit=units.PER_SECOND),
    )
    buckets_of = f"jq_job_latency_seconds_bucket{{{_QUEUE}}}"
    latency = lines(
        "End-to-end latency",
        "From submission to completion: 50 %, 95 % and 99 % of the jobs finish within this time.",
        [prom_exemplars(quantile(level / 100, buckets_of), f"p{level}") for level in (50, 95, 99)],
        Look(unit=units.SECONDS),
    )
    workers = lines(
        "Active workers and concurrency",
        "Workers that take jobs, and the number of jobs each runs at once. JobQueueNoWorkers pages when none is left.",
        [
            prom(f"sum(jq_workers_active{{{_HERE}}})", "active workers"),
            prom(f"max by (worker) (jq_worker_concurrency{{{_HERE}}})", "concurrency of {{worker}}"),
        ],
        Look(unit=units.EXACT),
    )
    return row("Work", line(depth, throughput), line(latency, workers))


def _parts() -> Row:
    scheduler = buckets(
        "Scheduler cycle duration",
        "Duration of cycles; the scheduler runs once a second. JobQueueSchedulerSlow alerts when 5 % of the cycles "
        "take longer than 0.2 s.",
        f"jq_scheduler_cycle_duration_seconds_bucket{{{_HERE}}}",
    )
    kafka = lines(
        "Kafka publish error rate",
        "Events per second that could not be published, by topic. They are lost unless the publisher retries.",
        [prom(f"sum by (topic) (rate(jq_kafka_publish_errors_total{{{_HERE}}}[$__rate_interval]))", "{{topic}}")],
        Look(
            unit=units.PER_SECOND,
            limits=Limits(
                warning=0.1, why="JobQueueKafkaPublishErrorsSpiking alerts above 0.1 lost events per second."
            ),
        ),
    )
    redis = lines(
        "Redis operation duration",
        "95 % of the operations finish within this time. Redis is local, so milliseconds are normal.",
        [
            prom_exemplars(
                quantile(0.95, f"jq_redis_operation_duration_seconds_bucket{{{_HERE}}}", "operation"),
                "{{operation}} p95",
            )
        ],
        Look(unit=units.SECONDS),
    )
    grpc = lines(
        "gRPC duration by method",
        "95 % of the calls are answered within this time, measured on the server.",
        [
            prom_exemplars(
                quantile(0.95, f"grpc_server_handling_seconds_bucket{{{_HERE}}}", "grpc_service, grpc_method"),
                "{{grpc_service}} {{grpc_method}} p95",
            )
        ],
        Look(unit=units.SECONDS),
    )
    return row("Parts", line(scheduler, kafka), line(redis, grpc))
