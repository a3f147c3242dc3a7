"""Text of a panel whose metrics may be absent. It replaces "No data" by the reason, so that healthy looks healthy."""

import functools
import re
from typing import Any

from alerting import systems
from alerting.files import RULES

_NAME = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")


def explain(panel: dict[str, Any]) -> None:
    """Set the text for no data in a panel's JSON, if each of its queries reads a metric that may be absent."""
    reasons = [_reason(target.get("expr", "")) for target in panel.get("targets", ())]
    if reasons and all(reasons):
        text = "; ".join(dict.fromkeys(filter(None, reasons)))
        defaults = panel["fieldConfig"]["defaults"]
        defaults["noValue"] = f"no series: {text}"
        if panel["type"] == "stat":  # in others NaN is a share or a percentile of nothing
            for one in defaults["mappings"]:
                if one["type"] == "special":
                    one["options"]["result"]["text"] = defaults["noValue"]


def _reason(expression: str) -> str | None:
    """Why the first metric in an expression that may be absent is; None if there is none."""
    known = _reasons()
    return next((known[name] for name in _NAME.findall(expression) if name in known), None)


@functools.cache
def _reasons() -> dict[str, str]:
    found, _ = systems.load(RULES)
    return {metric: why for system in found.values() for metric, why in system.absent.items()}
