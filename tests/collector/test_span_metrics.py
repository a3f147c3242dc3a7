"""Names of any length make no large label in the span metrics, and lose no count."""

import re
import time
from pathlib import Path

import httpx

from components.collector.span_limits import METRIC_LABEL_BYTES
from tests.collector.pipeline import log_pipeline
from tools.programs import eventually

_CALLS = re.compile(r"^traces_span_metrics_calls_total\{(.*)\} ([0-9.e+]+)", re.M)


def _counts(page: str) -> list[tuple[str, float]]:
    return [(labels, float(count)) for labels, count in _CALLS.findall(httpx.get(page).text)]


def test_long_names_are_cut_and_counted(tmp_path: Path) -> None:
    now = str(time.time_ns())
    spans = [
        {"traceId": f"{number:032x}", "spanId": f"{number:016x}", "name": name, "kind": 2}
        | {"startTimeUnixNano": now, "endTimeUnixNano": now}
        for number, name in enumerate(("pay", "x" * 200_000), start=1)
    ]
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "s" * 100_000}}]}
    body = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}
    with log_pipeline(tmp_path) as pipeline:
        httpx.post(f"{pipeline.otlp}/v1/traces", json=body, timeout=30).raise_for_status()
        page = f"http://127.0.0.1:{pipeline.span_metrics}/metrics"
        # A new series begins at 0.
        eventually(lambda: [count for _, count in _counts(page)] == [1, 1], seconds=60, what="a span is not counted")
        found = _counts(page)
    labels = [value for text, _ in found for value in re.findall(r'="([^"]*)"', text)]
    assert max(len(value.encode()) for value in labels) == METRIC_LABEL_BYTES
