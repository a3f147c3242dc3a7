"""Shared parts of SpecCursor's dashboards: selectors, variables, links between them, common limits."""

from grafana_foundation_sdk.models.dashboard import VariableModel

from dashboards.builder.dashboard import About
from dashboards.builder.layout import Row, line, row
from dashboards.builder.look import Limits
from dashboards.builder.panels import log_lines
from dashboards.builder.queries import WARNINGS, logs
from dashboards.builder.variables import label_values, namespace_of

HERE = 'namespace=~"$namespace"'
"""Matcher that excludes other systems, because most of SpecCursor's metric names do not start with its name."""
OF_SERVICE = f'{HERE}, service=~"$service"'
SLOW = Limits(critical=30, why="SpecCursorOperationSlow pages when 5 % of an operation's calls take longer than 30 s.")
ERROR_LINES = Limits(warning=10, why="SpecCursorErrorLogBurst alerts above 10 ERROR lines a minute of one service.")

_PAGES = {
    "system overview": "speccursor-system",
    "upgrades": "speccursor-upgrades",
    "AI": "speccursor-ai",
    "proofs": "speccursor-proofs",
    "security": "speccursor-security",
    "infrastructure": "speccursor-infrastructure",
}


def about(*, uid: str, shows: str, purpose: str, runbooks: list[str], logs: str, alerts: str = "") -> About:
    """Header of `SpecCursor - <shows>`, with links to the other dashboards of SpecCursor."""
    return About(
        uid=uid,
        title=f"SpecCursor - {shows}",
        system="speccursor",
        purpose=purpose,
        runbooks=runbooks,
        logs=logs,
        links={text: f"/d/{page}" for text, page in _PAGES.items() if page != uid},
        alerts=alerts,
    )


def namespace() -> VariableModel:
    """Namespaces that run SpecCursor."""
    return namespace_of("speccursor", "active_jobs")


def service() -> VariableModel:
    """SpecCursor's services. All means exactly these, because other systems' log lines and spans have services, too."""
    return label_values("service", "service", f"http_request_duration_seconds_count{{{HERE}}}", only_these=True)


def service_log(service: str) -> Row:
    """A row with the warnings and errors of one service."""
    return row(
        "Logs",
        line(
            log_lines(
                f"Warnings and errors of {service}",
                "Newest first. An opened line links to its trace.",
                logs(f'{{{HERE}, service="{service}"}} | {WARNINGS}'),
            ),
        ),
    )
