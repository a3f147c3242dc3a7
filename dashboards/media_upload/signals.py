"""Shared parts of the dashboards of media upload and media clustering: selectors, limits, SLOs, log lines, links.

This module is not a dashboard.
"""

from grafana_foundation_sdk.builders.dashboard import DashboardLink
from grafana_foundation_sdk.models.dashboard import DashboardLinkType, Panel, VariableModel

from dashboards.builder import units
from dashboards.builder.layout import Line, Row, line, row
from dashboards.builder.links import explore_logs
from dashboards.builder.look import CRITICAL, GOOD, WARNING, Limits, Look, Word
from dashboards.builder.panels import lines, log_lines, single
from dashboards.builder.queries import ERRORS, containing, log_rate, logs, prom
from dashboards.builder.variables import choice, search

HERE = 'namespace=~"$namespace"'
UPLOAD_FAILURES = Limits(critical=0.05, why="MediaUploadFailureRateHigh pages above 5 %.")
UPLOAD_SLOW = Limits(critical=10, why="MediaUploadSlow pages when 5 % of the uploads take longer than 10 s.")
STORAGE_FAILURES = Limits(critical=1, why="MediaStorageOperationFailures pages when failures continue for 5 minutes.")
RECONCILIATION = Limits(critical=1, why="MediaReconciliationErrors alerts on any within 10 minutes.")
GRAPHQL_ERRORS = Limits(warning=0.01, why="HighGraphQLErrorRate alerts above 1 %.")
GATEWAY_SLOW = Limits(warning=0.5, why="the SLO media-gateway-latency requires 95 % of the requests below 500 ms.")
PENDING = Limits(warning=10_000, why="ConsumerLag alerts when more than 10,000 messages of a consumer wait.")
# An exporter that counts connections by database or state has several series of connections and one limit.
POOL = f"""
sum by (namespace, app, pod) (pg_connections{{{HERE}}})
/
max by (namespace, app, pod) (pg_max_connections{{{HERE}}})
""".strip()
POOL_FULL = Limits(critical=0.8, why="DatabasePoolExhausted pages above 80 %.")
# A limit of 0 means that Redis has none; then the share has no result.
MEMORY = f"redis_memory_used_bytes{{{HERE}}} / (redis_memory_max_bytes{{{HERE}}} > 0)"
MEMORY_HIGH = Limits(warning=0.9, why="RedisMemoryHigh alerts above 90 %.")
OPENSEARCH = (
    Word(value=0, text="green", colour=GOOD),
    Word(value=1, text="yellow", colour=WARNING),
    Word(value=2, text="red", colour=CRITICAL),
)
_PLACES = {
    "media-overview": "all services",
    "media-uploads": "uploads",
    "media-gateway": "gateway",
    "media-gateway-security": "gateway security",
    "media-variants": "variants",
    "media-infrastructure": "infrastructure",
    "media-cluster-observability": "clustering",
    "platform-slos": "SLOs",
}


def places(*, without: str) -> dict[str, str]:
    """Header links to the other media dashboards: text -> path. `without` is the uid of the current dashboard."""
    return {text: f"/d/{uid}" for uid, text in _PLACES.items() if uid != without}


def linked(panel: Panel, title: str, uid: str) -> Panel:
    """The panel with a link to another dashboard in its corner; the link keeps the time range."""
    panel.links = [
        DashboardLink(title).type(DashboardLinkType.LINK).url(f"/d/{uid}?${{__url_time_range}}").keep_time(True).build()
    ]
    return panel


def budget(title: str, slo: str) -> Panel:
    """The rest of an SLO's error budget, with a link to all SLOs."""
    panel = single(
        title,
        f"Rest of the error budget of {slo} over its window: 100 % is unspent, below 0 is overspent.",
        prom(f'min(slo:budget_remaining:ratio{{slo="{slo}"}})', "budget left"),
        Look(
            unit=units.RATIO,
            limits=Limits(
                warning=0.25,
                critical=0,
                low_is_bad=True,
                why="below 0 the objective is missed; a quarter is a warning.",
            ),
        ),
    )
    return linked(panel, "All SLOs", "platform-slos")


def objective(slo: str, promise: str) -> Line:
    """Error budget of an SLO now and over time, and its burn rate. `promise` is one sentence with the objective."""
    of = f'{{slo="{slo}"}}'
    burns = [
        prom(f"max(slo:errors:ratio_rate{window}{of} / on (slo, system) (1 - slo:objective:ratio{of}))", window)
        for window in ("5m", "1h", "6h", "3d")
    ]
    burning = lines(
        "Budget burn rate",
        "Speed at which the error budget is spent, by window; at 1 it lasts exactly the SLO's window. "
        "A page needs both windows of a pair: 5m and 1h above 14.4, or 30m and 6h above 6.",
        burns,
        Look(
            unit=units.COUNT,
            at_least=2,
            limits=Limits(warning=1, critical=14.4, why="at 14.4 one hour spends 2 % of the budget of 30 days."),
        ),
    )
    past = lines(
        "Budget over time",
        f"{promise} Rest of the error budget; below 0 it is overspent.",
        [prom(f"min(slo:budget_remaining:ratio{of})", "budget left")],
        Look(unit=units.RATIO, minimum=None, at_least=1),
    )
    return line(
        budget("Budget left", slo), linked(burning, "All SLOs", "platform-slos"), past, height=10, widths=(4, 10, 10)
    )


def pool_tile() -> Panel:
    """The fullest pool of PostgreSQL connections."""
    return single(
        "Database pool",
        "Share of the allowed connections that are open, on the database with the highest share.",
        prom(f"max({POOL})", "in use"),
        Look(unit=units.RATIO, limits=POOL_FULL),
    )


def pending_tile() -> Panel:
    """The longest queue of a NATS consumer."""
    return single(
        "Messages that wait",
        "Pending messages of the NATS consumer that has the most.",
        prom(f"max(nats_consumer_num_pending{{{HERE}}})", "pending"),
        Look(unit=units.COUNT, limits=PENDING),
    )


def memory_tile() -> Panel:
    """The fullest Redis."""
    return single(
        "Redis memory",
        "Share of the allowed memory in use, on the fullest server. Empty without a limit (maxmemory 0).",
        prom(f"max({MEMORY})", "in use"),
        Look(unit=units.RATIO, limits=MEMORY_HIGH),
    )


def opensearch_tile() -> Panel:
    """The worst status of an OpenSearch cluster."""
    return single(
        "OpenSearch",
        "Worst status of all clusters: yellow lacks copies, red lacks documents.",
        prom(f"max(opensearch_cluster_status{{{HERE}}})", "status"),
        Look(unit=units.EXACT, words=OPENSEARCH),
    )


def log_variables() -> list[VariableModel]:
    """Filters for log lines: level and text."""
    return [
        choice("level", ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]),
        search("text", "Text, request id or trace id in logs"),
    ]


def log_row(services: str, group: str = "level", more: str = "") -> Row:
    """Log lines of services (a regular expression) in the selected namespaces and levels; `more`: more matchers."""
    chosen = f'{{namespace=~"$namespace", service=~"{services}"{more}}} | level=~"$level"'
    return row(
        "Logs",
        line(
            lines(
                f"Log lines by {group}",
                "Lines per second.",
                [log_rate(f"sum by ({group}) (rate({chosen} [$__interval]))", f"{{{{{group}}}}}")],
                Look(unit=units.PER_SECOND, stacked=True),
            ),
            log_lines(
                "Log lines",
                "Lines of the selected levels that contain the text above. An opened line shows its trace_id, and "
                "links to its trace if that was kept.",
                logs(containing(chosen, "text")),
            ),
            height=10,
            widths=(8, 16),
        ),
    )


def explore(service: str) -> dict[str, str]:
    """Header link to the error lines of a service: text -> URL."""
    lines_of = f'{{namespace=~"${{namespace:pipe}}", service="{service}"}} | {ERRORS}'
    return {f"error lines of {service} in Explore": explore_logs(lines_of)}
