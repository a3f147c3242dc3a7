"""Grafana's data sources and their links: metrics to traces, log lines to traces, traces to logs and metrics."""

import json
from typing import Any, NotRequired, TypedDict

import pulumi
from pulumiverse_grafana import oss

from components.grafana.content import content_options
from components.grafana.server import GrafanaServer
from settings.apps import DATA_SOURCES

PROMETHEUS, LOKI, JAEGER, ALERTMANAGER = DATA_SOURCES
LONG_TERM = "prometheus-long-term"
"""Uid of the source that dashboards show instead of Prometheus when somebody chooses it."""

Json = dict[str, Any]

# A trace id of W3C trace context, 32 hexadecimal digits, in a JSON line.
_TRACE_ID_IN_TEXT = r'"trace_id":\s*"([0-9a-f]{32})"'


class DataSourcesArgs(TypedDict):
    """Arguments of DataSources. The Grafana server uses these addresses."""

    prometheus_url: pulumi.Input[str]
    alertmanager_url: pulumi.Input[str]
    loki_url: pulumi.Input[str]
    jaeger_url: pulumi.Input[str]
    """URL of the query API (port 16686)."""
    long_term_url: NotRequired[pulumi.Input[str] | None]
    """Prometheus' API of the store that keeps metrics longer; none by default."""
    scrape_interval: str
    """Prometheus duration. Grafana never queries with a smaller step."""
    server: NotRequired[GrafanaServer | None]
    """The Grafana server of this stack, if it runs one."""


class DataSources(pulumi.ComponentResource):
    """The four data sources, and that of the long-term store if there is one, under uids that never change."""

    def __init__(self, name: str, args: DataSourcesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:DataSources", name, {}, opts)
        metrics = prometheus_json(args["scrape_interval"])
        sources: dict[str, tuple[str, pulumi.Input[str], Json]] = {
            PROMETHEUS: ("Prometheus", args["prometheus_url"], metrics),
            LOKI: ("Loki", args["loki_url"], loki_json()),
            JAEGER: ("Jaeger", args["jaeger_url"], jaeger_json()),
            ALERTMANAGER: ("Alertmanager", args["alertmanager_url"], alertmanager_json()),
        }
        long_term = args.get("long_term_url")
        if long_term is not None:
            # No server there knows the rules of this one.
            sources[LONG_TERM] = ("Prometheus (long-term)", long_term, {**metrics, "manageAlerts": False})
        for uid, (title, url, options) in sources.items():
            oss.DataSource(
                f"{name}-{uid}",
                type=PROMETHEUS if uid == LONG_TERM else uid,  # the other uids equal the ids of their plugins
                uid=uid,
                name=title,
                url=url,
                access_mode="proxy",
                is_default=uid == PROMETHEUS,
                json_data_encoded=json.dumps(options, sort_keys=True),
                opts=content_options(self, args.get("server")),
            )
        self.register_outputs({"uids": list(sources)})


def prometheus_json(scrape_interval: str) -> Json:
    """Options of the Prometheus source. The `trace_id` of an exemplar links to its trace."""
    return {
        "httpMethod": "POST",  # long queries do not fit into a URL
        "timeInterval": scrape_interval,
        "prometheusType": "Prometheus",
        "manageAlerts": True,
        "alertmanagerUid": ALERTMANAGER,
        "exemplarTraceIdDestinations": [{"name": "trace_id", "datasourceUid": JAEGER, "urlDisplayLabel": "Trace"}],
    }


def loki_json() -> Json:
    """Options of the Loki source. The trace id of a line links to its trace.

    The id comes from structured metadata. In lines without it, a pattern finds the JSON field.
    """
    link: Json = {"url": "${__value.raw}", "datasourceUid": JAEGER, "urlDisplayLabel": "Trace"}
    return {
        "maxLines": 1000,
        "manageAlerts": True,
        "alertmanagerUid": ALERTMANAGER,
        "derivedFields": [
            {"name": "Trace", "matcherType": "label", "matcherRegex": "trace_id", **link},
            {"name": "Trace (from the text)", "matcherType": "regex", "matcherRegex": _TRACE_ID_IN_TEXT, **link},
        ],
    }


def jaeger_json() -> Json:
    """Options of the Jaeger source.

    Each span links to the span metrics of its service, and to the log lines of its namespace that have its trace id.
    """
    # Log lines and scraped samples have times slightly outside the span.
    around: Json = {"spanStartTimeShift": "-5m", "spanEndTimeShift": "5m"}
    calls, seconds = "traces_span_metrics_calls_total", "traces_span_metrics_duration_seconds_bucket"
    return {
        "nodeGraph": {"enabled": True},
        "spanBar": {"type": "None"},
        "tracesToLogsV2": {
            **around,
            "datasourceUid": LOKI,
            # Not its service: a name that is no label of a stream is replaced there (transform/loki_labels).
            "tags": [{"key": "k8s.namespace.name", "value": "namespace"}],
            "filterByTraceID": False,
            "filterBySpanID": False,
            "customQuery": True,
            "query": '{${__tags}} | trace_id="${__trace.traceId}"',
        },
        "tracesToMetrics": {
            **around,
            "datasourceUid": PROMETHEUS,
            "tags": [
                {"key": "service.name", "value": "service_name"},
                {"key": "k8s.namespace.name", "value": "namespace"},
            ],
            "queries": [
                {"name": "Requests per second", "query": f"sum(rate({calls}{{$__tags}}[5m]))"},
                {
                    "name": "Share of errors",
                    "query": f'sum(rate({calls}{{$__tags, status_code="STATUS_CODE_ERROR"}}[5m]))'
                    f" / sum(rate({calls}{{$__tags}}[5m]))",
                },
                {
                    "name": "p95 (s)",
                    "query": f"histogram_quantile(0.95, sum by (le) (rate({seconds}{{$__tags}}[5m])))",
                },
            ],
        },
    }


def alertmanager_json() -> Json:
    """Options of the Alertmanager source. It shows alerts and silences, and receives no alerts of Grafana itself."""
    return {"implementation": "prometheus", "handleGrafanaManagedAlerts": False}
