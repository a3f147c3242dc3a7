"""What a scraped pod may not say: names and labels that belong to Prometheus, to its rules and to trusted exporters.

Pure: relabelling of what a scrape returns. A pod's own `up` and the like are added after it.
"""

from collections.abc import Sequence
from typing import Any

from alerting import speakers
from alerting.model import RESERVED_LABELS

_TRUSTED = "__tmp_trusted"
# Added to every series and alert that leaves this server, unless the series has such a label.
_EXTERNAL_LABELS = ("cluster", "prometheus_replica")
RESERVED = (*RESERVED_LABELS, *_EXTERNAL_LABELS)
"""Labels that no series may bring along."""
EXPORTED = "exported_"
"""Prefix of a label that a program claimed and may not set."""


def relabeling(*, trusted: Sequence[str], node_names: bool = False) -> list[dict[str, Any]]:
    """For the metrics of any pod. Pods in the `trusted` namespaces may expose what trusted exporters expose.

    With `node_names`, every pod may expose the metrics of a node_exporter. A reserved label is renamed, as Prometheus
    renames a claimed `namespace`, so that no innocent series is lost.
    """
    exporters = speakers.EXPORTED_NAMES if node_names else f"{speakers.EXPORTED_NAMES}|{speakers.NODE_NAMES}"
    return [
        {"action": "drop", "source_labels": ["__name__"], "regex": f"{speakers.OWN_NAMES}|{speakers.RECORDED_NAMES}"},
        {"action": "labeldrop", "regex": _TRUSTED},
        *(
            {"source_labels": ["namespace"], "regex": name, "target_label": _TRUSTED, "replacement": "true"}
            for name in trusted
        ),
        {"action": "drop", "source_labels": [_TRUSTED, "__name__"], "regex": f";(?:{exporters})"},
        {"action": "labeldrop", "regex": _TRUSTED},
        *renamed(),
    ]


def renamed() -> list[dict[str, Any]]:
    """Renames the reserved labels of a series or of a target."""
    reserved = "|".join(RESERVED)
    return [
        {"action": "labelmap", "regex": f"({reserved})", "replacement": f"{EXPORTED}$1"},
        {"action": "labeldrop", "regex": reserved},
    ]
