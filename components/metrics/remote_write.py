"""Remote write: the copy of samples for a long-term store. Pure."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class CopiedMetrics:
    """Regular expressions of the names of metrics that remote write copies; empty for all, and for no exception."""

    keep: str = ""
    drop: str = ""


ALL_METRICS = CopiedMetrics()


def remote_write(url: str, copied: CopiedMetrics) -> dict[str, Any]:
    """An entry of `remote_write` for this URL."""
    return {
        "name": "long-term",
        "url": url,
        "send_exemplars": True,
        # Multi-tenant servers use the two labels of the last rules to accept the samples of only one replica.
        "write_relabel_configs": [
            *(
                {"action": action, "source_labels": ["__name__"], "regex": names}
                for action, names in (("keep", copied.keep), ("drop", copied.drop))
                if names
            ),
            {"source_labels": ["prometheus_replica"], "target_label": "__replica__"},
            {"action": "labeldrop", "regex": "prometheus_replica"},
        ],
    }
