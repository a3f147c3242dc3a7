"""The job queue's telemetry: metrics, healthy signals per role, and faults.

The server pod exports all metrics that exist once (depth, scheduler, Kafka, Redis, gRPC, number of workers) and all
effects of faults, so that no fault has to be distributed to the worker pods. Rules sum over pods, so a failed job
counts wherever it is exported.
"""

from simulator.engine.faults import Fault
from simulator.engine.signals import Durations, Events, Level, Metric, Signal
from simulator.systems import contract

QUEUES = ("default", "email", "reports")
OPERATIONS = ("enqueue", "dequeue", "ack")
METHODS = ("SubmitJob", "GetJob", "ListJobs")
TOPICS = (
    "jobs.submitted",
    "jobs.started",
    "jobs.completed",
    "jobs.failed",
    "jobs.retried",
    "jobs.cancelled",
    "workers.heartbeat",
)

METRICS = contract.metrics(
    "job-queue",
    buckets={
        "jq_job_latency_seconds": (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
        "jq_redis_operation_duration_seconds": (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5),
    },
)

_SERVER_METRICS = frozenset(metric.name for metric in METRICS) - {
    "jq_jobs_completed_total",
    "jq_job_latency_seconds",
    "jq_worker_concurrency",
}
_WORKER_METRICS = frozenset(
    {"jq_jobs_completed_total", "jq_jobs_failed_total", "jq_job_latency_seconds", "jq_worker_concurrency"}
)


def metrics(role: str) -> tuple[Metric, ...]:
    """The metrics that pods of this role export."""
    exported = _SERVER_METRICS if role == "server" else _WORKER_METRICS
    return tuple(metric for metric in METRICS if metric.name in exported)


def server(workers: int) -> tuple[Signal, ...]:
    """A healthy server with `workers` workers. Error counters exist at 0, so that rules see their first increase."""
    signals: list[Signal] = [
        Level(metric="jq_workers_active", value=workers),
        Durations(metric="jq_scheduler_cycle_duration_seconds", per_second=1.0, median=0.03),
    ]
    for queue in QUEUES:
        signals += [
            Level(metric="jq_queue_depth", labels={"queue": queue, "status": "PENDING"}, value=40, wobble=0.5),
            Level(metric="jq_queue_depth", labels={"queue": queue, "status": "RUNNING"}, value=6, wobble=0.3),
            Events(metric="jq_jobs_submitted_total", labels={"queue": queue}, per_second=0.5 * workers),
            Events(metric="jq_jobs_failed_total", labels={"queue": queue}, per_second=0.0),
        ]
    for topic in TOPICS:
        signals += [
            Events(metric="jq_kafka_published_total", labels={"topic": topic}, per_second=0.5 * workers),
            Events(metric="jq_kafka_publish_errors_total", labels={"topic": topic}, per_second=0.0),
        ]
    for operation in OPERATIONS:
        labels = {"operation": operation}
        signals += [
            Durations(metric="jq_redis_operation_duration_seconds", labels=labels, per_second=2.0, median=0.0015),
            Events(metric="jq_redis_operation_errors_total", labels=labels, per_second=0.0),
        ]
    for method in METHODS:
        labels = {"grpc_service": "jobqueue.v1.JobQueue", "grpc_method": method}
        signals.append(Durations(metric="grpc_server_handling_seconds", labels=labels, per_second=1.0, median=0.012))
    return tuple(signals)


def worker(name: str) -> tuple[Signal, ...]:
    """A healthy worker called `name`: one job in 500 fails, far below the 10 % of the alert."""
    signals: list[Signal] = [Level(metric="jq_worker_concurrency", labels={"worker": name}, value=8, wobble=0.25)]
    for queue in QUEUES:
        labels = {"queue": queue}
        signals += [
            Events(metric="jq_jobs_completed_total", labels=labels, per_second=0.5),
            Events(metric="jq_jobs_failed_total", labels=labels, per_second=0.001),
            Durations(metric="jq_job_latency_seconds", labels=labels, per_second=0.5, median=0.8),
        ]
    return tuple(signals)


# Each fault makes its alert's condition true at the first scrape after it is switched on, whatever the rate window
# holds already (hence the bursts), keeps it true while it is on, and changes no metric of another alert.
FAULTS = (
    Fault(
        alert="JobQueueDepthHigh",
        text="4000 jobs are pending in one queue; the alert's limit is 1000.",
        signals=(Level(metric="jq_queue_depth", labels={"queue": "default", "status": "PENDING"}, value=4000),),
        instance_label="queue",
    ),
    Fault(
        alert="JobQueueNoWorkers",
        text="No worker is active.",
        signals=(Level(metric="jq_workers_active", value=0),),
    ),
    Fault(
        alert="JobQueueFailureRateHigh",
        text="Most jobs of one queue fail; the burst outweighs five minutes of 20 healthy workers.",
        signals=(Events(metric="jq_jobs_failed_total", labels={"queue": "default"}, per_second=5.0, burst=1000),),
    ),
    Fault(
        alert="JobQueueSchedulerSlow",
        text="Scheduler cycles take 0.8 s; the alert's limit is a p95 of 0.2 s.",
        # Five minutes have 300 healthy cycles, so 16 slow ones change the 95th percentile.
        signals=(Durations(metric="jq_scheduler_cycle_duration_seconds", per_second=1.0, median=0.8, burst=100),),
    ),
    Fault(
        alert="JobQueueKafkaPublishErrorsSpiking",
        text="Publishing to one topic fails; the burst alone is 0.4/s over five minutes, the alert's limit is 0.1/s.",
        # The alert compares a topic with its own last hour, so a topic that failed in that hour cannot spike again.
        # Therefore the topic changes every ten minutes, and is used again after 70.
        signals=(Events(metric="jq_kafka_publish_errors_total", labels={"topic": "*"}, per_second=0.5, burst=120),),
        rotation=("topic", TOPICS, 600.0),
    ),
    Fault(
        alert="JobQueueRedisErrors",
        text="Some Redis operations fail; any error alerts.",
        signals=(
            Events(metric="jq_redis_operation_errors_total", labels={"operation": "dequeue"}, per_second=0.5, burst=5),
        ),
    ),
    Fault(
        alert="AlertsOnMissingMetrics",
        text="The duration of scheduler cycles is not exposed; the alert waits for an hour, so set `seconds` higher.",
        hides=("jq_scheduler_cycle_duration_seconds",),
    ),
)
