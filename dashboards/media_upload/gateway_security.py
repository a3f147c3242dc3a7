"""Gateway Security: requests that the gateway refuses, by client, reason and route."""

from typing import Any

from dashboards.builder import units
from dashboards.builder.dashboard import About, dashboard
from dashboards.builder.layout import Row, line, row
from dashboards.builder.look import Look
from dashboards.builder.panels import lines, single
from dashboards.builder.queries import WARNINGS, grown, or_zero, prom, prom_last, ratio
from dashboards.builder.tables import Column, ranking
from dashboards.builder.variables import label_values, namespace_of
from dashboards.media_upload import signals as media

_ROUTE = f'{media.HERE}, route=~"$route"'
_REASON = f'{media.HERE}, reason=~"$reason"'
_CLIENT = f'{media.HERE}, client=~"$client"'
_AUTH = f"gateway_auth_failures_total{{{_REASON}}}"
_LIMITED = f"gateway_rate_limited_total{{{_CLIENT}}}"
_REFUSED = 'code=~"401|403|429"'


def build() -> dict[str, Any]:
    """The dashboard as JSON."""
    about = About(
        uid="media-gateway-security",
        title="Gateway Security",
        system="media-upload",
        purpose="Requests that the gateway refuses: failed authentication by reason, rate-limited clients, refused "
        "requests by route. No alert uses these numbers: compare them with an earlier day.",
        runbooks=[],
        logs=f'{{namespace=~"${{namespace:pipe}}", service="gateway"}} | {WARNINGS}',
        links=media.places(without="media-gateway-security"),
    )
    variables = [
        namespace_of("media-upload", "gateway_requests_total"),
        label_values("route", "route", f"gateway_requests_total{{{media.HERE}}}"),
        label_values("reason", "reason", f"gateway_auth_failures_total{{{media.HERE}}}"),
        label_values("client", "client", f"gateway_rate_limited_total{{{media.HERE}}}"),
        *media.log_variables(),
    ]
    return dashboard(about, variables, [_now(), _authentication(), _limits(), _refused(), media.log_row("gateway")])


def _now() -> Row:
    by_client = grown(_LIMITED, "$__range", "client")
    return row(
        "Now",
        line(
            single(
                "Failed authentications",
                "Within the time range.",
                prom_last(or_zero(grown(_AUTH, "$__range")), "failed"),
                Look(unit=units.EXACT, decimals=0),
            ),
            single(
                "Rate-limited requests",
                "Within the time range.",
                prom_last(or_zero(grown(_LIMITED, "$__range")), "limited"),
                Look(unit=units.EXACT, decimals=0),
            ),
            single(
                "Rate-limited clients",
                "Clients that were limited at least once within the time range.",
                prom_last(or_zero(f"count({by_client} > 0)"), "clients"),
                Look(unit=units.EXACT),
            ),
            single(
                "Refused of all",
                "Share of the requests that are answered with 401, 403 or 429. Empty without requests.",
                prom(ratio("gateway_requests_total", _REFUSED, of=_ROUTE), "refused"),
                Look(unit=units.RATIO),
            ),
            height=4,
        ),
    )


def _authentication() -> Row:
    rate = f"sum by (reason) (rate({_AUTH}[$__rate_interval]))"
    columns = [Column(title="Failed", expression=grown(_AUTH, "$__range", "namespace, reason"), unit=units.COUNT)]
    return row(
        "Authentication",
        line(
            lines(
                "Failed authentications by reason",
                "Failures per second. Many failures with one reason: a client has a wrong or outdated secret, or "
                "somebody guesses secrets.",
                [prom(or_zero(rate, "reason"), "{{reason}}")],
                Look(unit=units.PER_SECOND, stacked=True),
            ),
            ranking(
                "Reasons",
                "Failed authentications within the time range.",
                columns,
                {"reason": "Reason", "namespace": "Namespace"},
            ),
            widths=(15, 9),
        ),
    )


def _limits() -> Row:
    rate = f"topk(10, sum by (client) (rate({_LIMITED}[$__rate_interval])))"
    columns = [Column(title="Limited", expression=grown(_LIMITED, "$__range", "namespace, client"), unit=units.COUNT)]
    return row(
        "Rate limits",
        line(
            lines(
                "Rate-limited requests by client",
                "Refused requests per second, of the ten clients with most of them at each point in time.",
                [prom(or_zero(rate, "client"), "{{client}}")],
                Look(unit=units.PER_SECOND),
            ),
            ranking(
                "Clients",
                "Requests refused within the time range.",
                columns,
                {"client": "Client", "namespace": "Namespace"},
            ),
            widths=(15, 9),
        ),
    )


def _refused() -> Row:
    by_code = f'sum by (code) (rate(gateway_requests_total{{{_ROUTE}, code=~"4.."}}[$__rate_interval]))'
    return row(
        "Refused requests",
        line(
            lines(
                "Refused by route",
                "Share of a route's requests that are answered with 401, 403 or 429.",
                [prom(ratio("gateway_requests_total", _REFUSED, of=_ROUTE, by="route"), "{{route}}")],
                Look(unit=units.RATIO),
            ),
            lines(
                "Client errors by status code",
                "Responses per second: 401 is a missing or invalid login, 403 not allowed, 404 not found (many: "
                "somebody probes the API), 429 rate-limited.",
                [prom(or_zero(by_code, "code"), "{{code}}")],
                Look(unit=units.REQUESTS_PER_SECOND, stacked=True),
            ),
            height=11,
        ),
    )
