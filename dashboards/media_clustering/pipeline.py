"""Media Clustering – Pipeline Health: success and duration of jobs, feedback, backlog."""

from typing import Any

from grafana_foundation_sdk.models.dashboard import Panel

from dashboards.builder import units
from dashboards.builder.dashboard import About, dashboard
from dashboards.builder.layout import Row, line, row
from dashboards.builder.links import KEPT_TRACES, explore_logs, explore_traces
from dashboards.builder.look import Limits, Look
from dashboards.builder.panels import dials, lines, log_lines, single, text_panel
from dashboards.builder.queries import ERRORS, containing, grown, logs, or_zero, percentiles, prom, prom_last
from dashboards.builder.variables import label_values, namespace_of, search
from dashboards.media_upload import signals as media

FILE = "media-clustering-redis-streams"
"""Name of the JSON file without its extension, as in the telemetry contract."""

_JOBS, _SUCCEEDED, _FAILED = (
    f"cluster_jobs_total{{{media.HERE}{more}}}" for more in ("", ', outcome="success"', ', outcome!="success"')
)
_FEEDBACK = f'{media.HERE}, operation=~"$operation"'
_BACKENDS = f'{media.HERE}, backend=~"$backend"'
_OF_THE_QUEUE = '| json logger="logger" | logger="sploot-cluster.queue"'
_LINES = f'{{namespace=~"$namespace", service="sploot-cluster"}} {_OF_THE_QUEUE}'
_FAILURE_LIMITS = Limits(
    warning=1,
    critical=3,
    why="MediaClusterJobFailures pages above 1 failed job per minute over 5 minutes, MediaClusterJobFailuresCritical "
    "above 3.",
)
_DURATION_LIMITS = Limits(
    warning=5,
    critical=8,
    why="MediaClusterLatencyHigh alerts when p95 stays above 5 s for 10 minutes, MediaClusterLatencyCritical pages "
    "above 8 s.",
)
_NOISE_LIMITS = Limits(warning=30, why="MediaClusterNoiseHigh alerts when three runs in a row leave more than 30.")
_PENDING_LIMITS = Limits(
    warning=100,
    critical=250,
    why="MediaClusterBacklogHigh alerts above 100 for 5 minutes, MediaClusterBacklogCritical pages above 250.",
)
_LAG_LIMITS = Limits(
    warning=10,
    critical=30,
    why="MediaClusterStreamLagHigh alerts above 10 s for 5 minutes, MediaClusterStreamLagCritical above 30 s.",
)
_LEGACY = "Empty means that the legacy worker exporter is not deployed, not that nothing waits."
_REDIS = """
Without the legacy worker exporter, or to see the jobs of each consumer, query Redis directly:

```bash
# Number of unacknowledged entries, the oldest one, and the number per consumer
redis-cli -u "$(printenv REDIS_URL)" XPENDING streams:embedding.ingested cluster-workers
# Groups and their lag; consumers and their idle time (ms)
redis-cli -u "$(printenv REDIS_URL)" XINFO GROUPS streams:embedding.ingested
redis-cli -u "$(printenv REDIS_URL)" XINFO CONSUMERS streams:embedding.ingested cluster-workers
```

A consumer that has pending entries and stays idle is stuck: follow the runbook of MediaClusterBacklogHigh.
"""


def build() -> dict[str, Any]:
    """The dashboard as JSON."""
    about = About(
        uid="media-cluster-observability",
        title="Media Clustering – Pipeline Health",
        system="media-clustering",
        purpose="Do clustering jobs succeed and keep up with the uploads, how long do they take, does feedback "
        "(merge, split) succeed, does work wait?",
        runbooks=[
            "MediaClusterDown",
            "MediaClusterJobsStalled",
            "MediaClusterJobFailures",
            "MediaClusterJobFailuresCritical",
            "MediaClusterFeedbackFailures",
            "MediaClusterLatencyHigh",
            "MediaClusterLatencyCritical",
            "MediaClusterBacklogHigh",
            "MediaClusterBacklogCritical",
            "MediaClusterStreamLagHigh",
            "MediaClusterStreamLagCritical",
            "MediaClusterNoiseHigh",
        ],
        logs='{namespace=~"${namespace:pipe}", service="sploot-cluster"}',
        links={
            "error lines of the queue": explore_logs(
                f'{{namespace=~"${{namespace:pipe}}", service="sploot-cluster"}} {_OF_THE_QUEUE} | {ERRORS}'
            ),
            "traces of sploot-cluster in Explore": explore_traces("sploot-cluster"),
            "uploads": "/d/media-uploads",
            "infrastructure": "/d/media-infrastructure",
        },
    )
    variables = [
        namespace_of("media-clustering", "cluster_jobs_total"),
        label_values("backend", "backend", f"cluster_job_duration_seconds_count{{{media.HERE}}}"),
        label_values("operation", "operation", f"cluster_feedback_operations_total{{{media.HERE}}}"),
        search("pet", "pet_id in logs"),
    ]
    return dashboard(about, variables, [_outcomes(), _throughput(), _feedback(), _backlog()])


def _outcomes() -> Row:
    failing = single(
        "Failures per minute",
        "Failed jobs per minute, of every outcome except success: the mean of the last 5 minutes.",
        prom(or_zero(f"{grown(_FAILED, '5m')} / 5"), "failures/min"),
        Look(unit=units.COUNT, limits=_FAILURE_LIMITS),
    )
    failed = single(
        "Failed jobs",
        "Jobs that failed within the time range.",
        prom_last(or_zero(grown(_FAILED, "$__range")), "failed"),
        Look(unit=units.EXACT, decimals=0),
    )
    succeeded = single(
        "Successful jobs",
        "Jobs that succeeded within the time range.",
        prom_last(or_zero(grown(_SUCCEEDED, "$__range")), "successful"),
        Look(unit=units.EXACT, decimals=0),
    )
    noise = f"cluster_last_noise_count{{{media.HERE}}}"
    gauge = dials(
        "Noise after the last run",
        "Points that belong to no cluster, on the worst instance. Below 15 is normal; a spike means embeddings of low "
        "quality.",
        prom(f"max({noise})", "noise points"),
        Look(unit=units.EXACT, maximum=60, limits=_NOISE_LIMITS),
    )
    past = lines(
        "Noise by instance",
        "Points that belong to no cluster after the last run of each instance.",
        [prom(f"max by (namespace, pod) ({noise})", "{{pod}}")],
        Look(unit=units.EXACT, at_least=40, limits=_NOISE_LIMITS),
    )
    failures = log_lines(
        "Log lines of failed jobs",
        "Lines of sploot-cluster.queue with level ERROR that contain the pet_id above. An opened line shows pet_id "
        "and trace_id, and links to its trace.",
        logs(containing(f"{_LINES} | {ERRORS}", "pet")),
    )
    return row(
        "Outcomes Overview",
        line(failing, failed, succeeded, gauge, height=6),
        line(past, failures),
    )


def _throughput() -> Row:
    def per_minute(series: str) -> str:
        return f"60 * sum(rate({series}[$__rate_interval]))"

    uploads = f'media_uploads_total{{{media.HERE}, status="success"}}'
    by_outcome = f"{grown(_FAILED, '5m', 'outcome')} / 5"
    failures = lines(
        "Failures per minute by outcome",
        "Failed jobs per minute by outcome; each point is the mean of the 5 minutes before it. The alerts use the sum.",
        [prom(or_zero(by_outcome, "outcome"), "{{outcome}}")],
        Look(unit=units.COUNT, at_least=1.2, limits=_FAILURE_LIMITS),
    )
    jobs = lines(
        "Job throughput",
        "Jobs per minute that succeed and that fail.",
        [
            prom(or_zero(per_minute(_SUCCEEDED)), "success/min"),
            prom(or_zero(per_minute(_FAILED)), "failures/min"),
        ],
        Look(unit=units.COUNT, at_least=1),
    )
    arrivals = lines(
        "Successful uploads",
        "Uploads per minute, which create the work. MediaClusterJobsStalled alerts when uploads continue and no job "
        "has succeeded for 10 minutes.",
        [prom(per_minute(uploads), "uploads/min")],
        Look(unit=units.COUNT, at_least=1),
    )
    duration = lines(
        "Job duration by backend",
        "50 % and 95 % of a backend's jobs finish within this time; a healthy p95 is below 3 s. If only the p95 rises, "
        f"few jobs are slow. A point is one job and links to its trace. {KEPT_TRACES}",
        percentiles(f"cluster_job_duration_seconds_bucket{{{_BACKENDS}}}", "backend", 50, 95),
        Look(unit=units.SECONDS, limits=_DURATION_LIMITS),
    )
    backends = lines(
        "Jobs per minute by backend",
        "Jobs by backend. A CPU backend where GPUs are expected explains a rising duration.",
        [
            prom(
                f"60 * sum by (backend) (rate(cluster_job_duration_seconds_count{{{_BACKENDS}}}[$__rate_interval]))",
                "{{backend}}",
            )
        ],
        Look(unit=units.COUNT, stacked=True),
    )
    return row("Throughput & Latency", line(failures, jobs, arrivals), line(duration, backends, height=11))


def _feedback() -> Row:
    def total(title: str, matchers: str, description: str, limits: Limits | None = None) -> Panel:
        counted = grown(f"cluster_feedback_operations_total{{{media.HERE}, {matchers}}}", "$__range")
        return single(
            title,
            description,
            prom_last(or_zero(counted), title.lower()),
            Look(unit=units.EXACT, decimals=0, limits=limits),
        )

    recent = grown(f"cluster_feedback_operations_total{{{_FEEDBACK}}}", "10m", "operation, outcome")
    any_failed = Limits(critical=1, why="MediaClusterFeedbackFailures pages for any within 10 minutes.")
    return row(
        "Feedback Activity",
        line(
            total(
                "Failed feedback operations",
                'outcome!="success"',
                "Merges and splits that failed within the time range: a person's decision is lost or half applied.",
                any_failed,
            ),
            total("Merge successes", 'operation="merge", outcome="success"', "Within the time range."),
            total("Split successes", 'operation="split", outcome="success"', "Within the time range."),
            lines(
                "Feedback by operation and outcome",
                "Operations within the 10 minutes before each point.",
                [prom(recent, "{{operation}} {{outcome}}")],
                Look(unit=units.COUNT, at_least=1),
            ),
            widths=(4, 4, 4, 12),
        ),
    )


def _backlog() -> Row:
    pending = lines(
        "Pending jobs",
        f"Entries of the consumer group that are delivered but not acknowledged; below 50 is normal. {_LEGACY}",
        [prom(f"max by (namespace, app) (media_cluster_pending_jobs{{{media.HERE}}})", "{{namespace}} {{app}}")],
        Look(unit=units.COUNT, at_least=120, limits=_PENDING_LIMITS),
    )
    lag = lines(
        "Stream lag",
        f"Idle time of the oldest pending job; below 5 s is normal. {_LEGACY}",
        [prom(f"max by (namespace, app) (media_cluster_stream_lag_seconds{{{media.HERE}}})", "{{namespace}} {{app}}")],
        Look(unit=units.SECONDS, at_least=12, limits=_LAG_LIMITS),
    )
    by_hand = text_panel("Backlog in Redis", _REDIS)
    by_hand.description = "How to inspect the backlog with redis-cli where the legacy worker exporter is not deployed."
    return row("Backlog", line(pending, lag, by_hand, height=12, widths=(7, 7, 10)))
