"""Links: between dashboards, to runbooks, and into Explore with a query filled in."""

import json
import re
from urllib.parse import quote

from grafana_foundation_sdk.builders.dashboard import DashboardLink
from grafana_foundation_sdk.models.dashboard import DashboardLink as Link
from grafana_foundation_sdk.models.dashboard import DashboardLinkType

from dashboards.builder.sources import JAEGER, LOKI, Source
from dashboards.builder.variables import RUNBOOKS

TAG = "observability"
"""On every dashboard of this project, beside its system's own tag."""


def dashboards_with(tag: str, title: str) -> Link:
    """A list of all dashboards with this tag; they open with the same time range and the variables they share."""
    return (
        DashboardLink(title)
        .type(DashboardLinkType.DASHBOARDS)
        .tags([tag])
        .as_dropdown(True)
        .include_vars(True)
        .keep_time(True)
        .build()
    )


def runbook(alert: str) -> str:
    """Markdown that opens an alert's runbook."""
    return f"[{alert}](${{{RUNBOOKS}}}/{alert}.md)"


def explore_logs(expression: str) -> str:
    """Address of Explore with a LogQL query and the dashboard's time range."""
    return _explore(LOKI, {"refId": "A", "expr": expression})


def explore_traces(service: str) -> str:
    """Address of Explore with the newest traces of a service."""
    return _explore(JAEGER, {"refId": "A", "queryType": "search", "service": service})


def _explore(source: Source, query: dict[str, str]) -> str:
    # `left` is read by every Grafana from 7 on; newer ones turn it into their own form.
    state = {
        "datasource": f"${{{source.name}}}",
        "queries": [query],
        "range": {"from": "${__from}", "to": "${__to}"},
    }
    encoded = quote(json.dumps(state, separators=(",", ":")), safe="")
    # Grafana replaces ${name} before the address is opened, so these must stay readable.
    return "/explore?left=" + re.sub(r"%24%7B(\w+)(?:%3A(\w+))?%7D", _readable, encoded)


def _readable(match: re.Match[str]) -> str:
    return f"${{{match[1]}:{match[2]}}}" if match[2] else f"${{{match[1]}}}"
