"""Names of any number and length make few and short labels in the span metrics, and lose no count."""

import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

from components.collector.span_limits import METRIC_LABEL_BYTES
from tests.collector.pipeline import log_pipeline
from tools.programs import eventually

_CALLS = re.compile(r"^traces_span_metrics_calls_total\{(.*)\} ([0-9.e+]+)", re.M)


def _counts(page: str) -> list[tuple[str, float]]:
    return [(labels, float(count)) for labels, count in _CALLS.findall(httpx.get(page).text)]


def test_many_and_long_names_are_replaced_and_counted(tmp_path: Path) -> None:
    """1,050 services in three requests made 17,850 series, and one long name a page of 3.6 MB."""
    now = str(time.time_ns())
    spans = [
        {"traceId": f"{number:032x}", "spanId": f"{number:016x}", "name": name, "kind": 2}
        | {"startTimeUnixNano": now, "endTimeUnixNano": now}
        for number, name in enumerate(("pay", "x" * 200_000), start=1)
    ]
    two = [_of(service, spans) for service in ("checkout", "s" * 100_000)]
    body = {"resourceSpans": [*two, *(_of(f"service-{number}", spans[:1]) for number in range(39))]}
    with log_pipeline(tmp_path) as pipeline:
        httpx.post(f"{pipeline.otlp}/v1/traces", json=body, timeout=30).raise_for_status()
        page = f"http://127.0.0.1:{pipeline.span_metrics}/metrics"
        # A new series begins at 0.
        expected = [("checkout", 1), ("checkout", 1), ("unknown", 1), ("unknown", 40)]
        eventually(lambda: _services(page) == expected, seconds=60, what="a span is not counted")
        labels = [value for text, _ in _counts(page) for value in re.findall(r'="([^"]*)"', text)]
    assert max(len(value.encode()) for value in labels) == METRIC_LABEL_BYTES


def _of(service: str, spans: Sequence[Mapping[str, object]]) -> dict[str, object]:
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    return {"resource": resource, "scopeSpans": [{"spans": spans}]}


def _services(page: str) -> list[tuple[str, float]]:
    return sorted((labels.partition('service_name="')[2].partition('"')[0], count) for labels, count in _counts(page))
