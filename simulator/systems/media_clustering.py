"""Media clustering's metrics, healthy signals and faults.

The pod includes the legacy exporter, which reports the backlog.
"""

from simulator.engine.faults import Fault
from simulator.engine.signals import Durations, Events, Level, Signal, Stop
from simulator.systems import contract

BACKENDS = ("faiss", "hdbscan_cpu")
OUTCOMES = ("success", "error", "timeout", "rejected")
FEEDBACK = ("merge", "split")

METRICS = contract.metrics(
    "media-clustering",
    # Includes 5 and 8, the limits of the alerts.
    buckets={"cluster_job_duration_seconds": (0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 21.0, 34.0)},
)


def _healthy() -> tuple[Signal, ...]:
    """24 jobs a minute, none of which fails."""
    signals: list[Signal] = [
        Events(metric="cluster_jobs_total", labels={"outcome": outcome}, per_second=0.4 * (outcome == "success"))
        for outcome in OUTCOMES
    ]
    for backend, per_second, median in (("faiss", 0.35, 0.9), ("hdbscan_cpu", 0.05, 1.4)):
        labels = {"backend": backend}
        signals.append(
            Durations(metric="cluster_job_duration_seconds", labels=labels, per_second=per_second, median=median)
        )
    for operation in FEEDBACK:
        signals += [
            Events(
                metric="cluster_feedback_operations_total",
                labels={"operation": operation, "outcome": outcome},
                per_second=0.02 if outcome == "success" else 0.0,
            )
            for outcome in ("success", "error")
        ]
    return (
        *signals,
        Level(metric="cluster_last_noise_count", value=9, wobble=0.4),
        Level(metric="media_cluster_pending_jobs", value=20, wobble=0.5),
        Level(metric="media_cluster_stream_lag_seconds", value=2, wobble=0.5),
    )


HEALTHY = _healthy()


def _failures(*, per_second: float, burst: int) -> Events:
    return Events(metric="cluster_jobs_total", labels={"outcome": "error"}, per_second=per_second, burst=burst)


def _durations(median: float) -> Durations:
    # Five minutes have 105 healthy jobs of this backend; a fifth of the 300 slow ones has the longest duration.
    labels = {"backend": "faiss"}
    return Durations(metric="cluster_job_duration_seconds", labels=labels, per_second=1.0, median=median, burst=300)


# As in job_queue.py: the condition is true from the first scrape on, and no metric of another alert changes. A critical
# fault also makes the condition of its warning true.
FAULTS = (
    Fault(
        alert="MediaClusterJobsStalled",
        text="Jobs stop ending; the alert fires after ten minutes while uploads continue (see media-upload).",
        signals=(
            Stop(metric="cluster_jobs_total", labels={"outcome": "success"}),
            *(Stop(metric="cluster_job_duration_seconds", labels={"backend": backend}) for backend in BACKENDS),
        ),
        # The first job after the fault, because the alert only resolves once the counter grows.
        after=(Events(metric="cluster_jobs_total", labels={"outcome": "success"}, burst=1),),
    ),
    Fault(
        alert="MediaClusterJobFailures",
        text="Jobs fail, 1.4 a minute and some at once; the alert's limit is 1 a minute, 3 would be critical.",
        signals=(_failures(per_second=1.4 / 60, burst=7),),
    ),
    Fault(
        alert="MediaClusterJobFailuresCritical",
        text="Jobs fail, 12 a minute; the alert's limit is 3 a minute.",
        signals=(_failures(per_second=0.2, burst=60),),
    ),
    Fault(
        alert="MediaClusterLatencyHigh",
        text="Jobs of faiss take up to 7 s; the alert's limit is a p95 of 5 s, 8 s would be critical.",
        signals=(_durations(3.6),),
    ),
    Fault(
        alert="MediaClusterLatencyCritical",
        text="Jobs of faiss take up to 17 s; the alert's limit is a p95 of 8 s.",
        signals=(_durations(9.0),),
    ),
    Fault(
        alert="MediaClusterFeedbackFailures",
        text="Corrections are lost; any alerts, for ten minutes after the last one.",
        signals=(
            Events(
                metric="cluster_feedback_operations_total",
                labels={"operation": "merge", "outcome": "error"},
                per_second=0.05,
                burst=3,
            ),
        ),
    ),
    Fault(
        alert="MediaClusterNoiseHigh",
        text="45 points are in no cluster after each run; the limit is 30 after 3 runs. The alert counts at most one "
        "run per evaluation, so it needs three evaluations.",
        signals=(Level(metric="cluster_last_noise_count", value=45),),
    ),
    Fault(
        alert="MediaClusterBacklogHigh",
        text="160 jobs wait; the alert's limit is 100, 250 would be critical.",
        signals=(Level(metric="media_cluster_pending_jobs", value=160),),
    ),
    Fault(
        alert="MediaClusterBacklogCritical",
        text="400 jobs wait; the alert's limit is 250.",
        signals=(Level(metric="media_cluster_pending_jobs", value=400),),
    ),
    Fault(
        alert="MediaClusterStreamLagHigh",
        text="The oldest job waits for 20 s; the alert's limit is 10 s, 30 s would be critical.",
        signals=(Level(metric="media_cluster_stream_lag_seconds", value=20),),
    ),
    Fault(
        alert="MediaClusterStreamLagCritical",
        text="The oldest job waits for 60 s; the alert's limit is 30 s.",
        signals=(Level(metric="media_cluster_stream_lag_seconds", value=60),),
    ),
)
