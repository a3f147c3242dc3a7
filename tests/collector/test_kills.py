"""What a killed gateway or agent loses of the traces, and where its size was to be read: the sum is zero."""

import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from tests.collector.pipeline import log_pipeline
from tests.collector.processes import trace_sink
from tools.programs import eventually

UNDECIDED = "otelcol_processor_tail_sampling_sampling_traces_on_memory"


def _send(url: str, traces: int) -> set[str]:
    """That many traces of one span with an error, which are kept, in a request each. Returns their ids."""
    sent: set[str] = set()
    for _ in range(traces):
        trace, now = os.urandom(16).hex(), time.time_ns()
        span = {
            "traceId": trace,
            "spanId": "0123456789abcdef",
            "name": "work",
            "startTimeUnixNano": str(now),
            "endTimeUnixNano": str(now + 10**6),
            "status": {"code": 2},
        }
        body = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
        httpx.post(f"{url}/v1/traces", json=body, timeout=30).raise_for_status()
        sent.add(trace)
    return sent


def _sum(port: int, metric: str, matcher: str = "") -> float:
    """Sum of a collector's own metric over the series that have the matcher."""
    text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    series = re.findall(rf"^{metric}(\{{.*\}})? (\S+)$", text, re.M)
    return sum(float(value) for labels, value in series if matcher in labels)


def test_a_kill_loses_the_traces_in_memory_and_counters_say_how_many(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    sent: set[str] = set()
    with (
        trace_sink() as (sink, jaeger),
        log_pipeline(tmp_path / "collectors", jaeger=jaeger, decision_wait="1h") as pipeline,
    ):

        def undecided() -> float:
            return _sum(pipeline.metrics, UNDECIDED)

        sent |= _send(pipeline.otlp, 10)
        eventually(lambda: undecided() == len(sent), what="the gateway does not say what it holds")
        lost_by_gateway = undecided()
        accepted = _sum(pipeline.metrics, "otelcol_receiver_accepted_spans")
        pipeline.gateway.end(signal.SIGKILL)
        # These leave the agent's queue on disk, and wait in its memory for the gateway.
        sent |= _send(pipeline.otlp, 20)
        traces = 'exporter="load_balancing"'
        eventually(
            lambda: (
                _sum(pipeline.agent_metrics, "otelcol_exporter_sent_spans", traces) == len(sent)
                and _sum(pipeline.agent_metrics, "otelcol_exporter_queue_size", traces) == 0
            ),
            what="the agent does not say what it passed on",
        )
        lost_by_agent = _sum(pipeline.agent_metrics, "otelcol_exporter_sent_spans", traces) - accepted
        pipeline.agent.end(signal.SIGKILL)
        pipeline.agent.start()
        pipeline.gateway.start()
        kept = _send(pipeline.otlp, 5)
        eventually(lambda: undecided() >= len(kept), what="nothing arrives after the kills")
        # It decides when it ends, and sends when it is back.
        pipeline.gateway.end(signal.SIGTERM)
        pipeline.gateway.start()
        eventually(lambda: kept <= sink.spans.keys(), what="what was sent after the kills is lost")
        stored = set(sink.spans)
    figures = {
        "sent": len(sent | kept),
        "stored": len(stored),
        "lost by the gateway": int(lost_by_gateway),
        "lost by the agent": int(lost_by_agent),
    }
    for name, figure in figures.items():
        record_property(name, figure)
    assert stored == kept
    assert figures == {"sent": 35, "stored": 5, "lost by the gateway": 10, "lost by the agent": 20}
