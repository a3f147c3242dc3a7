"""SpecCursor - System Overview: requests, latency, waiting work, failures."""

from typing import Any

from dashboards.builder import units
from dashboards.builder.dashboard import dashboard
from dashboards.builder.layout import Row, line, row
from dashboards.builder.links import KEPT_TRACES
from dashboards.builder.look import Limits, Look
from dashboards.builder.panels import lines, log_levels, log_lines, single
from dashboards.builder.queries import (
    ERRORS,
    containing,
    log_rate,
    logs,
    or_zero,
    prom,
    prom_exemplars,
    quantile,
    share,
)
from dashboards.builder.variables import search
from dashboards.speccursor import signals

_HERE = signals.HERE
_OF = signals.OF_SERVICE
_BUCKETS = f"http_request_duration_seconds_bucket{{{_OF}}}"
_LOGS = f"{{{_OF}}}"
_ERRORS = f"{_LOGS} | {ERRORS}"
_SPANS = 'namespace=~"$namespace", service_name=~"$service", span_kind="SPAN_KIND_SERVER"'
_FAILED_SPANS = f'{_SPANS}, status_code="STATUS_CODE_ERROR"'
_WANTED = f"sum(kube_deployment_spec_replicas{{{_HERE}}})"
_AVAILABLE = f"sum(kube_deployment_status_replicas_available{{{_HERE}}})"
_FAILED_CALLS = Limits(warning=0.05, why="normally one call in a hundred fails, and its callers fail with it.")


def build() -> dict[str, Any]:
    """The dashboard as JSON."""
    about = signals.about(
        uid="speccursor-system",
        shows="System Overview",
        purpose="Overall health: incoming work, duration of operations, waiting work, failures. Each part has its own "
        f"dashboard. Points on latency graphs link to the trace of one call. {KEPT_TRACES}",
        runbooks=[
            "SpecCursorServiceDown",
            "SpecCursorOperationSlow",
            "SpecCursorErrorLogBurst",
            "SpecCursorErrorLogAnomalous",
        ],
        logs='{namespace=~"${namespace:pipe}"}',
    )
    variables = [signals.namespace(), signals.service(), search("text", "Text, trace or correlation id in logs")]
    return dashboard(about, variables, [_now(), _errors(), _latency(), _work(), _log()])


def _calls(of: str, by: str = "") -> str:
    clause = f" by ({by})" if by else ""
    return f"sum{clause} (rate(traces_span_metrics_calls_total{{{of}}}[$__rate_interval]))"


def _now() -> Row:
    return row(
        "Now",
        line(
            single(
                "Requests",
                "Requests per second, all services together.",
                prom(f"sum(rate(http_request_duration_seconds_count{{{_OF}}}[$__rate_interval]))", "requests"),
                Look(unit=units.REQUESTS_PER_SECOND),
            ),
            single(
                "Failed calls",
                "Share of the calls whose span has an error, counted before sampling.",
                prom(share(_calls(_FAILED_SPANS), _calls(_SPANS)), "failed"),
                Look(unit=units.RATIO, limits=_FAILED_CALLS),
            ),
            single(
                "Slowest p95",
                "95 % of the calls of the slowest operation are answered within this time.",
                prom(f"max({quantile(0.95, _BUCKETS, 'service, operation')})", "p95"),
                Look(unit=units.SECONDS, limits=signals.SLOW),
            ),
            single(
                "ERROR lines",
                "ERROR lines a minute of all services, as the mean of five minutes.",
                log_rate(or_zero(f"sum(count_over_time({_ERRORS} [5m])) / 5"), "lines a minute"),
                Look(unit=units.PER_MINUTE),
            ),
            single(
                "Active jobs",
                "Jobs in progress.",
                prom(f"sum(active_jobs{{{_OF}}})", "jobs"),
                Look(unit=units.EXACT),
            ),
            single(
                "Waiting jobs",
                "Jobs in the queues of all services.",
                prom(f"sum(queue_depth{{{_OF}}})", "jobs"),
                Look(unit=units.COUNT),
            ),
            single(
                "Pods available",
                "Share of the desired pods that are available.",
                prom(f"{_AVAILABLE} / {_WANTED}", "available"),
                Look(
                    unit=units.RATIO,
                    limits=Limits(warning=1, low_is_bad=True, why="below 100 % a pod is missing or not ready."),
                ),
            ),
            single(
                "Restarts",
                "Restarts of containers within the last hour.",
                prom(f"sum(increase(kube_pod_container_status_restarts_total{{{_HERE}}}[1h]))", "restarts"),
                Look(unit=units.EXACT, decimals=0, limits=Limits(warning=1, why="a healthy container never restarts.")),
            ),
            height=4,
        ),
    )


def _errors() -> Row:
    by_service = f"sum by (service) (rate(http_request_duration_seconds_count{{{_OF}}}[$__rate_interval]))"
    return row(
        "Traffic and errors",
        line(
            lines(
                "Requests by service",
                "Requests per second. A service without requests is unreachable if its caller is busy.",
                [prom(by_service, "{{service}}")],
                Look(unit=units.REQUESTS_PER_SECOND),
            ),
            lines(
                "Failed calls by service",
                "Share of each service's calls whose span has an error. A failure also shows in all callers: the last "
                "failing service in the chain github-app, controller, ai-service or rust-worker, lean-engine is the "
                "cause.",
                [
                    prom(
                        share(_calls(_FAILED_SPANS, "service_name"), _calls(_SPANS, "service_name")), "{{service_name}}"
                    )
                ],
                Look(unit=units.RATIO, limits=_FAILED_CALLS),
            ),
            lines(
                "ERROR lines by service",
                "ERROR lines a minute, as the mean of five minutes.",
                [log_rate(f"sum by (service) (count_over_time({_ERRORS} [5m])) / 5", "{{service}}")],
                Look(unit=units.PER_MINUTE, limits=signals.ERROR_LINES),
            ),
        ),
    )


def _latency() -> Row:
    return row(
        "Latency",
        line(
            *(
                lines(
                    f"p{level} by service and operation",
                    f"{level} % of the calls of an operation are answered within this time. A point is one call and "
                    f"links to its trace. {KEPT_TRACES}",
                    [
                        prom_exemplars(
                            quantile(level / 100, _BUCKETS, "service, operation"), "{{service}} {{operation}}"
                        )
                    ],
                    Look(unit=units.SECONDS, limits=signals.SLOW if level == 95 else None),
                )
                for level in (50, 95)
            ),
        ),
    )


def _work() -> Row:
    phases = f"sum by (phase) (kube_pod_status_phase{{{_HERE}}})"
    return row(
        "Work and pods",
        line(
            lines(
                "Active jobs by service",
                "Jobs in progress in each service.",
                [prom(f"sum by (service) (active_jobs{{{_OF}}})", "{{service}}")],
                Look(unit=units.EXACT, stacked=True),
            ),
            lines(
                "Queue depth by service",
                "Jobs that wait for each service. Steady growth means that the service is too slow or stalled.",
                [prom(f"sum by (service) (queue_depth{{{_OF}}})", "{{service}}")],
                Look(unit=units.COUNT),
            ),
            lines(
                "Pods by phase",
                "Pods of the namespace. A pending pod has no node, no image or no volume yet.",
                [prom(f"{phases} > 0", "{{phase}}")],
                Look(unit=units.EXACT, stacked=True),
            ),
            lines(
                "Replicas",
                "Desired and available pods, all deployments together.",
                [prom(_WANTED, "wanted"), prom(_AVAILABLE, "available")],
                Look(unit=units.EXACT),
            ),
        ),
    )


def _log() -> Row:
    return row(
        "Logs",
        line(
            log_levels(_LOGS),
            log_lines(
                "ERROR lines",
                "ERROR lines of the selected services that contain the text above. An opened line shows trace_id and "
                "correlation_id, and links to its trace, because all traces with an error are kept.",
                logs(containing(_ERRORS, "text")),
            ),
            height=10,
            widths=(8, 16),
        ),
    )
