"""A record that is as large as a request may be arrives, and so do its neighbours: nothing is lost in silence."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from settings import sizes
from tests.collector.pipeline import Pipeline, log_pipeline
from tests.collector.processes import TraceSink, trace_sink
from tools.programs import eventually

LARGE = sizes.REQUEST_BYTES - 64 * 1024
"""Nearly as large as a request may be."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Pipeline, TraceSink]]:
    with (
        trace_sink() as (traces, jaeger),
        log_pipeline(tmp_path_factory.mktemp("pipeline"), jaeger=jaeger) as pipeline,
    ):
        yield pipeline, traces


def _line(body: str) -> dict[str, Any]:
    return {"timeUnixNano": str(time.time_ns()), "body": {"stringValue": body}}


def _span(trace: str, number: int, text: str = "") -> dict[str, Any]:
    return {
        "traceId": trace,
        "spanId": f"{number + 1:016x}",
        "name": f"work-{number}",
        "kind": 2,
        "startTimeUnixNano": "1760000000000000000",
        "endTimeUnixNano": "1760000000020000000",
        # Traces with an error are kept.
        "status": {"code": 2},
        "attributes": [{"key": "prompt", "value": {"stringValue": text}}],
    }


@pytest.mark.parametrize("size", [2_500_000, LARGE])
def test_a_large_line_takes_no_neighbour_along(running: tuple[Pipeline, TraceSink], size: int) -> None:
    pipeline, _ = running
    pipeline.sink.lines.clear()
    bodies = [*(f"before {i}" for i in range(4)), "x" * size, *(f"after {i}" for i in range(6))]
    records = [{"scopeLogs": [{"logRecords": [_line(body) for body in bodies]}]}]
    httpx.post(f"{pipeline.otlp}/v1/logs", json={"resourceLogs": records}, timeout=30).raise_for_status()
    eventually(lambda: len(pipeline.sink.lines) >= len(bodies), seconds=30, what="lines are missing")
    assert sorted(body[:20] for body in pipeline.sink.bodies()) == sorted(body[:20] for body in bodies)


@pytest.mark.parametrize("size", [2_500_000, LARGE])
def test_a_trace_with_a_large_span_is_whole(running: tuple[Pipeline, TraceSink], size: int) -> None:
    pipeline, traces = running
    trace, other = f"{size:032x}", f"{size + 1:032x}"
    spans = [_span(trace, number, "x" * size if number == 3 else "") for number in range(7)]
    spans += [_span(other, number) for number in range(3)]
    body = {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}
    httpx.post(f"{pipeline.otlp}/v1/traces", json=body, timeout=30).raise_for_status()
    eventually(lambda: {trace, other} <= traces.spans.keys(), seconds=30, what="a trace is missing")
    eventually(lambda: len(traces.spans[trace]) >= 7, seconds=10, what="the trace is torn")
    assert sorted(traces.spans[trace]) == [f"work-{number}" for number in range(7)]
    assert sorted(traces.spans[other]) == [f"work-{number}" for number in range(3)]


def test_what_is_larger_is_refused_and_the_program_learns_it(running: tuple[Pipeline, TraceSink]) -> None:
    pipeline, _ = running
    records = [{"scopeLogs": [{"logRecords": [_line("x" * sizes.REQUEST_BYTES)]}]}]
    answer = httpx.post(f"{pipeline.otlp}/v1/logs", json={"resourceLogs": records}, timeout=30)
    assert answer.status_code in {400, 413}, answer.text
