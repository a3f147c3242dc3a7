"""Dashboards as pure functions, one per file, and the rendered JSON beside them; `python -m dashboards` renders all.

Imports no provider: components read the rendered files.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from dashboards import api_observability, job_queue_overview, platform_alerting, platform_overview

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
