"""Dashboards as pure functions, one per file, and the rendered JSON beside them; `python -m dashboards` renders all.

Imports no provider: components read the rendered files.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

from dashboards import api_observability, job_queue_overview, platform_alerting, platform_overview
from dashboards.builder.variables import RUNBOOKS

FOLDER = Path(__file__).parent

DASHBOARDS: Mapping[str, Callable[[], dict[str, Any]]] = MappingProxyType(
    {
        "api-observability": api_observability.build,
        "job-queue-overview": job_queue_overview.build,
        "platform-alerting": platform_alerting.build,
        "platform-overview": platform_overview.build,
    }
)
"""uid -> its builder."""


def render(document: Mapping[str, Any]) -> str:
    """A dashboard as it is committed: sorted keys, so that a diff shows only what changed."""
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def for_stack(document: Mapping[str, Any], *, runbook_base_url: str) -> dict[str, Any]:
    """A copy whose links to runbooks lead to this stack's runbooks."""
    copy = cast(dict[str, Any], json.loads(json.dumps(document)))
    for variable in copy["templating"]["list"]:
        if variable["name"] == RUNBOOKS:
            address = runbook_base_url.rstrip("/")
            variable |= {"query": address, "current": {"text": address, "value": address}}
    return copy
