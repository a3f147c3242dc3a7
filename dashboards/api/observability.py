"""API Observability: rate, errors and duration of every service that uses the FastAPI instrumentation package."""

from typing import Any

from dashboards.builder import units
from dashboards.builder.dashboard import About, dashboard
from dashboards.builder.layout import Row, line, row
from dashboards.builder.links import KEPT_TRACES, explore_traces
from dashboards.builder.look import Limits, Look
from dashboards.builder.panels import buckets, lines, log_levels, log_lines, single
from dashboards.builder.queries import containing, logs, or_zero, percentiles, prom, prom_exemplars, quantile, ratio
from dashboards.builder.tables import Column, ranking
from dashboards.builder.variables import choice, label_values, search

_OF = 'namespace=~"$namespace", service=~"$service", endpoint=~"$endpoint", project_id=~"$project"'
_SERVER_ERROR = 'status=~"5.."'
_FAILED = f"{_OF}, {_SERVER_ERROR}"
_BUCKETS = f"request_duration_seconds_bucket{{{_OF}}}"
_SPANS = 'namespace=~"$namespace", service_name=~"$service", span_kind="SPAN_KIND_SERVER"'
_LOGS = '{namespace=~"$namespace", service=~"$service"} | project_id=~"$project" | level=~"$level"'
_ERROR_LIMITS = Limits(warning=0.01, critical=0.1, why="ApiErrorRateHigh pages above 10 %, 1 % is worth a look.")
_SLOW = Limits(warning=1, why="ApiLatencyHigh alerts when 1 % of a service's requests take longer than 1 s.")


def build() -> dict[str, Any]:
    """The dashboard as JSON."""
    about = About(
        uid="api-observability",
        title="API Observability",
        system="api",
        purpose="Number, failures and duration of requests, by service, endpoint and project. "
        f"Points on latency graphs and log lines link to the trace of their request. {KEPT_TRACES}",
        runbooks=["ApiServiceDown", "ApiErrorRateHigh", "ApiLatencyHigh"],
        logs='{namespace=~"${namespace:pipe}"}',
        links={"traces of api in Explore": explore_traces("api")},
    )
    variables = [
        label_values("namespace", "namespace", "request_count", only_these=True),
        label_values("service", "service", 'request_count{namespace=~"$namespace"}', only_these=True),
        label_values("endpoint", "endpoint", 'request_count{namespace=~"$namespace", service=~"$service"}'),
        label_values(
            "project",
            "project_id",
            'request_count{namespace=~"$namespace", service=~"$service", endpoint=~"$endpoint"}',
        ),
        choice("level", ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]),
        search("text", "Text, request id or trace id in logs"),
    ]
    return dashboard(about, variables, [_summary(), _requests(), _latency(), _rankings(), _log(), _traces()])


def _summary() -> Row:
    return row(
        "Now",
        line(
            single(
                "Requests",
                "Requests per second, over everything selected above.",
                prom(f"sum(rate(request_count{{{_OF}}}[$__rate_interval]))", "requests"),
                Look(unit=units.REQUESTS_PER_SECOND),
            ),
            single(
                "Error ratio",
                "Share of the requests that were answered with 5xx. Empty without requests.",
                prom(ratio("request_count", _SERVER_ERROR, _OF), "5xx"),
                Look(unit=units.RATIO, limits=_ERROR_LIMITS),
            ),
            single(
                "Median",
                "Half of the requests are answered within this time.",
                prom(quantile(0.5, _BUCKETS), "p50"),
                Look(unit=units.SECONDS),
            ),
            single(
                "99th percentile",
                "99 % of the requests are answered within this time.",
                prom(quantile(0.99, _BUCKETS), "p99"),
                Look(unit=units.SECONDS, limits=_SLOW),
            ),
            height=4,
        ),
    )


def _requests() -> Row:
    rate = "sum by ({by}) (rate({metric}{{{of}}}[$__rate_interval]))"
    return row(
        "Requests and errors",
        line(
            lines(
                "Request rate by service",
                "Requests per second.",
                [prom(rate.format(by="service", metric="request_count", of=_OF), "{{service}}")],
                Look(unit=units.REQUESTS_PER_SECOND),
            ),
            lines(
                "Error ratio by service",
                "Share of each service's requests that were answered with 5xx. Empty without requests.",
                [prom(ratio("request_count", _SERVER_ERROR, _OF, by="service"), "{{service}}")],
                Look(unit=units.RATIO, limits=_ERROR_LIMITS),
            ),
            lines(
                "Responses by status code",
                "Responses per second by HTTP status.",
                [prom(rate.format(by="status", metric="response_status_count", of=_OF), "{{status}}")],
                Look(unit=units.REQUESTS_PER_SECOND, stacked=True),
            ),
        ),
    )


def _latency() -> Row:
    return row(
        "Latency",
        line(
            lines(
                "Percentiles",
                "50 %, 95 % and 99 % of the requests are answered within this time. A point is one request and links "
                f"to its trace. {KEPT_TRACES}",
                percentiles(_BUCKETS),
                Look(unit=units.SECONDS, limits=_SLOW),
            ),
            lines(
                "p95 by endpoint",
                "95 % of the requests of an endpoint are answered within this time. Points link to traces. "
                f"{KEPT_TRACES}",
                [prom_exemplars(quantile(0.95, _BUCKETS, "service, endpoint"), "{{service}} {{endpoint}}")],
                Look(unit=units.SECONDS),
            ),
            buckets(
                "Latency distribution",
                "Requests by duration. Two bands indicate two types of requests, which a percentile hides.",
                _BUCKETS,
            ),
        ),
    )


def _rankings() -> Row:
    labels = "service, endpoint, method"
    requests = f"sum by ({labels}) (rate(request_count{{{_OF}}}[$__range]))"
    failed = f"sum by ({labels}) (rate(request_count{{{_FAILED}}}[$__range])) or 0 * {requests}"
    spent = f"sum by ({labels}) (rate(request_duration_seconds_sum{{{_OF}}}[$__range])) / {requests}"
    columns = [
        Column(title="Requests", expression=requests, unit=units.REQUESTS_PER_SECOND),
        Column(title="Errors", expression=f"({failed}) / {requests}", unit=units.RATIO),
        Column(title="Mean time", expression=spent, unit=units.SECONDS),
    ]
    titles = {"service": "Service", "endpoint": "Endpoint", "method": "Method"}
    return row(
        "Which endpoint, which project",
        line(
            ranking("Top endpoints", "Endpoints by requests per second over the whole time range.", columns, titles),
            lines(
                "Requests by project",
                "Requests per second by project.",
                [prom(f"sum by (project_id) (rate(request_count{{{_OF}}}[$__rate_interval]))", "{{project_id}}")],
                Look(unit=units.REQUESTS_PER_SECOND, stacked=True),
            ),
            widths=(14, 10),
        ),
    )


def _log() -> Row:
    return row(
        "Logs",
        line(
            log_levels(_LOGS),
            log_lines(
                "Log lines",
                "Lines of the selected services, projects and levels that contain the text above. An opened line shows "
                "request_id and trace_id, and links to its trace if that was kept.",
                logs(containing(_LOGS, "text")),
            ),
            height=10,
            widths=(8, 16),
        ),
    )


def _traces() -> Row:
    spans = "sum by (span_name) (rate(traces_span_metrics_calls_total{{{of}}}[$__rate_interval]))"
    wrong = f'{_SPANS}, status_code="STATUS_CODE_ERROR"'
    failed = f"sum by (service_name) (rate(traces_span_metrics_calls_total{{{wrong}}}[$__rate_interval]))"
    slow = quantile(0.95, f"traces_span_metrics_duration_seconds_bucket{{{_SPANS}}}", "span_name")
    return row(
        "Traces",
        line(
            lines(
                "Calls by operation",
                "Calls per second, counted from all spans before sampling, so traces that are not kept count as well. "
                "Services without request metrics, such as api-gateway, appear only here.",
                [prom(spans.format(of=_SPANS), "{{span_name}}")],
                Look(unit=units.REQUESTS_PER_SECOND),
            ),
            lines(
                "Failed calls",
                "Server spans with an error status per second. All of their traces are kept.",
                [
                    prom(
                        or_zero(failed, "service_name"),
                        "{{service_name}}",
                    )
                ],
                Look(unit=units.REQUESTS_PER_SECOND),
            ),
            lines(
                "p95 by operation",
                "95 % of the calls end within this time, according to spans. A point is one call and links to its "
                f"trace. {KEPT_TRACES}",
                [prom_exemplars(slow, "{{span_name}} p95")],
                Look(unit=units.SECONDS),
            ),
        ),
    )
