"""A system's telemetry contract, rules/contract/<system>.yaml. The image carries that folder.

alerting/contract.py checks the files; this module trusts them, because the image has no alerting/.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from simulator.engine.signals import Metric, MetricKind

FOLDER = Path(__file__).resolve().parents[2] / "rules" / "contract"


def metrics(system: str, buckets: Mapping[str, tuple[float, ...]]) -> tuple[Metric, ...]:
    """The metrics of a system, in the order of its contract.

    `buckets` maps histograms to upper bounds in seconds; other histograms have those of Metric. Raises ValueError for
    buckets of a metric that is no histogram of the contract.
    """
    declared: dict[str, Any] = _read(system)["metrics"]
    histograms = {name for name, one in declared.items() if one["type"] == MetricKind.HISTOGRAM}
    if wrong := sorted(buckets.keys() - histograms):
        raise ValueError(f"buckets of {', '.join(wrong)}: not a histogram of rules/contract/{system}.yaml")
    return tuple(_metric(name, one, buckets) for name, one in declared.items())


def services(system: str) -> tuple[str, ...]:
    """The services that a system's spans and log lines name."""
    return tuple(_read(system)["services"])


def _read(system: str) -> dict[str, Any]:
    return yaml.safe_load((FOLDER / f"{system}.yaml").read_text(encoding="utf-8"))


def _metric(name: str, declared: Mapping[str, Any], buckets: Mapping[str, tuple[float, ...]]) -> Metric:
    kind, labels = MetricKind(declared["type"]), tuple(declared.get("labels", ()))
    metric = Metric(name=name, kind=kind, text=declared["meaning"], labels=labels)
    return replace(metric, buckets=buckets[name]) if name in buckets else metric
