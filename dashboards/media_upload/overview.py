"""Media Overview: all services of media-upload at a glance, with links to the dashboard of each."""

from typing import Any

from dashboards.builder import units
from dashboards.builder.dashboard import About, dashboard
from dashboards.builder.layout import Line, Row, line, row
from dashboards.builder.look import CRITICAL, GOOD, Look, Word
from dashboards.builder.panels import lines, single, states
from dashboards.builder.queries import Query, grown, or_zero, prom, prom_last, quantile, ratio
from dashboards.builder.variables import choice, namespace_of
from dashboards.media_upload import signals as media

_SERVICES = ("ingestor", "gateway", "variant-generator", "reconciler")
# Type of work -> (counter, matcher of its failures).
_WORK = {
    "uploads": ("media_uploads_total", 'status="failure"'),
    "gateway requests": ("gateway_requests_total", 'code=~"5.."'),
    "GraphQL requests": ("graphql_requests_total", 'status="error"'),
    "variants": ("variant_generation_total", 'status="failure"'),
    "storage operations": ("media_storage_operations_total", 'status="failure"'),
}
_DURATIONS = {
    "upload": "media_upload_duration_seconds",
    "gateway request": "gateway_request_duration_seconds",
    "variant": "variant_generation_duration_seconds",
}


def build() -> dict[str, Any]:
    """The dashboard as JSON."""
    about = About(
        uid="media-overview",
        title="Media Overview",
        system="media-upload",
        purpose="Does every media service do its work: uploads, gateway, variants, reconciliation? And do their "
        "dependencies have room? Each number links to the dashboard that explains it.",
        runbooks=["MediaReconciliationErrors"],
        logs='{namespace=~"${namespace:pipe}", service=~"ingestor|gateway|variant-generator|reconciler"}',
        links=media.places(without="media-overview"),
    )
    variables = [
        namespace_of("media-upload", "media_uploads_total"),
        choice("service", list(_SERVICES)),
        *media.log_variables(),
    ]
    health = row("Does anything fail, is anything full?", _failures(), _room())
    return dashboard(
        about,
        variables,
        [health, _services(), _pods(), media.log_row("|".join(_SERVICES), "service", ', service=~"$service"')],
    )


def _failures() -> Line:
    def failed_share(work: str) -> Query:
        metric, bad = _WORK[work]
        return prom(ratio(metric, bad, media.HERE), "failed")

    storage = f'media_storage_operations_total{{{media.HERE}, status="failure"}}'
    reconciliation = f"media_reconciliation_errors_total{{{media.HERE}}}"
    uploads = single(
        "Failed uploads",
        "Share of the uploads that fail. Empty without uploads.",
        failed_share("uploads"),
        Look(unit=units.RATIO, limits=media.UPLOAD_FAILURES),
    )
    graphql = single(
        "GraphQL errors",
        "Share of the GraphQL requests that end with an error. Empty without requests.",
        failed_share("GraphQL requests"),
        Look(unit=units.RATIO, limits=media.GRAPHQL_ERRORS),
    )
    server = single(
        "Gateway 5xx",
        "Share of the gateway's requests that it answers with 5xx. Empty without requests.",
        failed_share("gateway requests"),
        Look(unit=units.RATIO),
    )
    variants = single(
        "Failed variants",
        "Share of the variants that fail. Empty while no variants are generated.",
        failed_share("variants"),
        Look(unit=units.RATIO),
    )
    stored = single(
        "Failed storage operations",
        "Within the time range.",
        prom_last(or_zero(grown(storage, "$__range")), "failed"),
        Look(unit=units.EXACT, decimals=0, limits=media.STORAGE_FAILURES),
    )
    reconciled = single(
        "Reconciliation errors",
        "Within the time range.",
        prom_last(or_zero(grown(reconciliation, "$__range")), "errors"),
        Look(unit=units.EXACT, decimals=0, limits=media.RECONCILIATION),
    )
    return line(
        media.linked(uploads, "Upload Overview", "media-uploads"),
        media.linked(stored, "Upload Overview", "media-uploads"),
        media.linked(reconciled, "Upload Overview", "media-uploads"),
        media.linked(graphql, "Gateway Overview", "media-gateway"),
        media.linked(server, "Gateway Overview", "media-gateway"),
        media.linked(variants, "Variant Generator", "media-variants"),
        height=4,
    )


def _room() -> Line:
    tiles = [media.pool_tile(), media.pending_tile(), media.memory_tile(), media.opensearch_tile()]
    below = [media.linked(tile, "Media Infrastructure", "media-infrastructure") for tile in tiles]
    return line(
        media.budget("Upload budget left", "media-upload-availability"),
        media.budget("Gateway budget left", "media-gateway-latency"),
        *below,
        height=4,
    )


def _services() -> Row:
    shares = [
        prom(ratio(metric, bad, media.HERE, by="namespace"), f"{{{{namespace}}}} {work}")
        for work, (metric, bad) in _WORK.items()
    ]
    rates = [
        prom(f"sum(rate({metric}{{{media.HERE}}}[$__rate_interval]))", work) for work, (metric, _) in _WORK.items()
    ]
    slow = [prom(quantile(0.95, f"{metric}_bucket{{{media.HERE}}}"), work) for work, metric in _DURATIONS.items()]
    return row(
        "Services",
        line(
            lines("Failures", "Share of each type of work that fails.", shares, Look(unit=units.RATIO)),
            lines("Traffic", "Operations per second, by type of work.", rates, Look(unit=units.PER_SECOND)),
            lines("Duration", "95 % of each type of work finishes within this time.", slow, Look(unit=units.SECONDS)),
            height=12,
        ),
    )


def _pods() -> Row:
    up_words = (Word(value=1, text="up", colour=GOOD), Word(value=0, text="down", colour=CRITICAL))
    restarts = "kube_pod_container_status_restarts_total"
    return row(
        "Pods",
        line(
            states(
                "Targets by app",
                "Whether all targets of an app answer Prometheus' scrapes.",
                [prom(f"min by (namespace, app) (up{{{media.HERE}}})", "{{namespace}} {{app}}")],
                Look(unit=units.EXACT, words=up_words),
            ),
            lines(
                "Restarts by pod",
                "Restarts of a pod's containers within the last hour. None is normal.",
                [prom(f"sum by (namespace, pod) (increase({restarts}{{{media.HERE}}}[1h]))", "{{pod}}")],
                Look(unit=units.EXACT, decimals=0),
            ),
            height=8,
        ),
    )
