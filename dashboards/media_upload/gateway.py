"""Gateway Overview: do GraphQL and HTTP requests succeed, and are they answered in time."""

from typing import Any

from dashboards.builder import units
from dashboards.builder.dashboard import About, dashboard
from dashboards.builder.layout import Row, line, row
from dashboards.builder.links import KEPT_TRACES, explore_traces
from dashboards.builder.look import Limits, Look
from dashboards.builder.panels import buckets, lines, single
from dashboards.builder.queries import percentiles, prom, prom_exemplars, quantile, ratio, share
from dashboards.builder.tables import Column, ranking
from dashboards.builder.variables import label_values, namespace_of
from dashboards.media_upload import signals as media

_ROUTE = f'{media.HERE}, route=~"$route"'
_OPERATION = f'{media.HERE}, operation=~"$operation"'
_DURATION = f"gateway_request_duration_seconds_bucket{{{_ROUTE}}}"
_SERVER_ERRORS = 'code=~"5.."'
_FAST = f"""
sum(rate(gateway_request_duration_seconds_bucket{{{_ROUTE}, le="0.5"}}[$__rate_interval]))
/
(sum(rate(gateway_request_duration_seconds_count{{{_ROUTE}}}[$__rate_interval])) > 0)
"""


def build() -> dict[str, Any]:
    """The dashboard as JSON."""
    about = About(
        uid="media-gateway",
        title="Gateway Overview",
        system="media-upload",
        purpose="Do the gateway's requests succeed, and are they answered in time, by route and by GraphQL operation?",
        runbooks=["HighGraphQLErrorRate"],
        logs='{namespace=~"${namespace:pipe}", service="gateway"}',
        links={"traces of gateway in Explore": explore_traces("gateway")} | media.places(without="media-gateway"),
    )
    variables = [
        namespace_of("media-upload", "gateway_requests_total"),
        label_values("route", "route", f"gateway_requests_total{{{media.HERE}}}"),
        label_values("operation", "operation", f"graphql_requests_total{{{media.HERE}}}"),
        *media.log_variables(),
    ]
    promise = row(
        "Service level objective",
        media.objective(
            "media-gateway-latency", "Objective: 95 % of the requests of 30 days are answered within 500 ms."
        ),
    )
    return dashboard(about, variables, [_now(), promise, _graphql(), _routes(), _latency(), media.log_row("gateway")])


def _now() -> Row:
    return row(
        "Now",
        line(
            single(
                "GraphQL errors",
                "Share of the GraphQL requests that end with an error. Empty without requests.",
                prom(ratio("graphql_requests_total", 'status="error"', of=_OPERATION), "errors"),
                Look(unit=units.RATIO, limits=media.GRAPHQL_ERRORS),
            ),
            single(
                "Server errors",
                "Share of the requests that the gateway answers with 5xx. Empty without requests.",
                prom(ratio("gateway_requests_total", _SERVER_ERRORS, of=_ROUTE), "5xx"),
                Look(unit=units.RATIO),
            ),
            single(
                "Answered within 500 ms",
                "Share of the requests, as defined by the SLO media-gateway-latency.",
                prom(_FAST, "within 500 ms"),
                Look(
                    unit=units.RATIO,
                    limits=Limits(warning=0.95, low_is_bad=True, why="the SLO media-gateway-latency requires 95 %."),
                ),
            ),
            single(
                "95th percentile",
                "95 % of the requests are answered within this time.",
                prom(quantile(0.95, _DURATION), "p95"),
                Look(unit=units.SECONDS, limits=media.GATEWAY_SLOW),
            ),
            single(
                "Requests",
                "Requests per second over the selected routes.",
                prom(f"sum(rate(gateway_requests_total{{{_ROUTE}}}[$__rate_interval]))", "requests"),
                Look(unit=units.REQUESTS_PER_SECOND),
            ),
            height=4,
        ),
    )


def _graphql() -> Row:
    rate = f"sum by (operation) (rate(graphql_requests_total{{{_OPERATION}}}[$__rate_interval]))"
    return row(
        "GraphQL",
        line(
            lines(
                "GraphQL errors of all",
                "Share of the GraphQL requests that end with an error, all operations together. GraphQL answers 200 "
                "even for errors, so status codes do not show them.",
                [
                    prom(
                        ratio("graphql_requests_total", 'status="error"', media.HERE, by="namespace, app"),
                        "{{namespace}} {{app}}",
                    )
                ],
                Look(unit=units.RATIO, limits=media.GRAPHQL_ERRORS),
            ),
            lines(
                "GraphQL errors by operation",
                "Share of an operation's requests that end with an error. For a rare operation, one error is a large "
                "share.",
                [
                    prom(
                        ratio("graphql_requests_total", 'status="error"', of=_OPERATION, by="operation"),
                        "{{operation}}",
                    )
                ],
                Look(unit=units.RATIO),
            ),
            lines(
                "GraphQL requests by operation",
                "Requests per second.",
                [prom(rate, "{{operation}}")],
                Look(unit=units.REQUESTS_PER_SECOND),
            ),
            height=12,
        ),
    )


def _routes() -> Row:
    requests = f"sum by (route) (rate(gateway_requests_total{{{_ROUTE}}}[$__range]))"
    failed = f"sum by (route) (rate(gateway_requests_total{{{_ROUTE}, {_SERVER_ERRORS}}}[$__range]))"
    spent = f"sum by (route) (rate(gateway_request_duration_seconds_sum{{{_ROUTE}}}[$__range]))"
    timed = f"sum by (route) (rate(gateway_request_duration_seconds_count{{{_ROUTE}}}[$__range]))"
    columns = [
        Column(title="Requests", expression=requests, unit=units.REQUESTS_PER_SECOND),
        Column(title="5xx", expression=share(failed, requests), unit=units.RATIO),
        Column(title="Mean time", expression=f"{spent} / {timed}", unit=units.SECONDS),
    ]
    by_code = f"sum by (code) (rate(gateway_requests_total{{{_ROUTE}}}[$__rate_interval]))"
    return row(
        "Routes",
        line(
            lines(
                "Server errors by route",
                "Share of a route's requests that are answered with 5xx.",
                [prom(ratio("gateway_requests_total", _SERVER_ERRORS, of=_ROUTE, by="route"), "{{route}}")],
                Look(unit=units.RATIO),
            ),
            lines(
                "Responses by status code",
                "Responses per second.",
                [prom(by_code, "{{code}}")],
                Look(unit=units.REQUESTS_PER_SECOND, stacked=True),
            ),
            ranking(
                "Top routes", "Routes by requests per second over the whole time range.", columns, {"route": "Route"}
            ),
            height=12,
            widths=(7, 7, 10),
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
                percentiles(_DURATION),
                Look(unit=units.SECONDS, limits=media.GATEWAY_SLOW),
            ),
            lines(
                "p95 by route",
                f"95 % of a route's requests are answered within this time. Points link to traces. {KEPT_TRACES}",
                [prom_exemplars(quantile(0.95, _DURATION, "route"), "{{route}}")],
                Look(unit=units.SECONDS, limits=media.GATEWAY_SLOW),
            ),
            buckets(
                "Latency distribution",
                "Requests by duration. Two bands indicate two types of requests, which a percentile hides.",
                _DURATION,
            ),
            height=11,
        ),
    )
