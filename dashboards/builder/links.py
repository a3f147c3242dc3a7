"""Links to other dashboards, to runbooks, and to Explore with a prepared query."""

import json
import re
from collections.abc import Iterable
from urllib.parse import quote

from grafana_foundation_sdk.builders.dashboard import DashboardLink
from grafana_foundation_sdk.models.dashboard import DashboardLink as Link
from grafana_foundation_sdk.models.dashboard import DashboardLinkType

from dashboards.builder.sources import JAEGER, LOKI, Source
from dashboards.builder.variables import RUNBOOKS

TAG = "observability"
"""Tag of every dashboard of this project, in addition to the tag of its system."""

KEPT_TRACES = "All traces with an error are kept, and a share of the others (10 % unless the stack sets another share)."
"""Sentence for every panel that links to traces, because tail sampling keeps only some of them."""


def dashboards_with(tag: str, title: str) -> Link:
    """A list of all dashboards with this tag; they open with the same time range and the same shared variables."""
    return (
        DashboardLink(title)
        .type(DashboardLinkType.DASHBOARDS)
        .tags([tag])
        .as_dropdown(True)
        .include_vars(True)
        .keep_time(True)
        .build()
    )


def kept(address: str, names: Iterable[str]) -> str:
    """The address; if it is a dashboard's, with the time range and with the values of these variables."""
    if not address.startswith("/d/"):
        return address
    values = "".join(f"&${{{name}:queryparam}}" for name in names)
    return f"{address}?from=${{__from}}&to=${{__to}}{values}"


def runbook(alert: str) -> str:
    """Markdown link to an alert's runbook."""
    return f"[{alert}](${{{RUNBOOKS}}}/{alert}.md)"


def explore_logs(expression: str) -> str:
    """URL of Explore with a LogQL query and the dashboard's time range."""
    return _explore(LOKI, {"refId": "A", "expr": expression})


def explore_traces(service: str) -> str:
    """URL of Explore with the newest traces of a service."""
    return _explore(JAEGER, {"refId": "A", "queryType": "search", "service": service})


def _explore(source: Source, query: dict[str, str]) -> str:
    # Grafana 7 and later understand `left`; newer versions convert it to their own format.
    state = {
        "datasource": f"${{{source.name}}}",
        "queries": [query],
        "range": {"from": "${__from}", "to": "${__to}"},
    }
    encoded = quote(json.dumps(state, separators=(",", ":")), safe="")
    # Grafana replaces ${name} before it opens the URL, so these placeholders must not be percent-encoded.
    return "/explore?left=" + re.sub(r"%24%7B(\w+)(?:%3A(\w+))?%7D", _placeholder, encoded)


def _placeholder(match: re.Match[str]) -> str:
    return f"${{{match[1]}:{match[2]}}}" if match[2] else f"${{{match[1]}}}"
