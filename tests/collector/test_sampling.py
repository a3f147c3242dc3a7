"""1,000 traces through a real agent and two real gateways: what is kept, whole; what is counted, all."""

import random
import re
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
from observability_fastapi.exemplars import Sampling

from components.collector import agent_config, gateway_config
from components.collector.agent_config import AgentConfig
from components.collector.gateway_config import GatewayConfig
from tests.collector.processes import TraceSink, collector, loopback, trace_sink
from tools.programs import eventually

SERVICES = ("front", "orders", "stock")
TRACES, ERRORS, SLOW = 1000, 50, 50
_CALLS = re.compile(r"traces_span_metrics_calls_total\{(.*?)\} ([0-9.e+]+)")
_DECIDED = "otelcol_processor_tail_sampling_global_count_traces_sampled"
_LABEL = re.compile(r'(\w+)="(.*?)"')


def _span(trace: str, number: int, *, error: bool, slow: bool) -> dict[str, Any]:
    start = 1_760_000_000_000_000_000
    return {
        "traceId": trace,
        "spanId": f"{number + 1:016x}",
        "parentSpanId": f"{number:016x}" if number else "",
        "name": f"work-{number}",
        "kind": 2,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + (1_200_000_000 if slow else 20_000_000)),
        "status": {"code": 2 if error else 0},
    }


def _request(service: str, pod: str, spans: list[dict[str, Any]]) -> dict[str, Any]:
    resource = {
        "attributes": [
            {"key": "service.name", "value": {"stringValue": service}},
            {"key": "service.instance.id", "value": {"stringValue": pod}},
        ]
    }
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}


def _calls(port: int) -> list[tuple[dict[str, str], float]]:
    text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    return [(dict(_LABEL.findall(labels)), float(value)) for labels, value in _CALLS.findall(text)]


def _exemplars(port: int) -> set[str]:
    """Traces that buckets name. Only the last interval's do."""
    accepted = {"Accept": "application/openmetrics-text; version=1.0.0"}
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", headers=accepted).text
    return set(re.findall(r'traces_span_metrics_duration_seconds_bucket\{.* # \{.*trace_id="([0-9a-f]+)"', text))


def _decisions(port: int) -> float:
    rows = httpx.get(f"http://127.0.0.1:{port}/metrics").text.splitlines()
    return sum(float(row.rsplit(" ", 1)[1]) for row in rows if row.startswith(_DECIDED))


def _whole(sink: TraceSink) -> bool:
    return all(len(names) >= len(SERVICES) for names in sink.spans.values())


def test_errors_slow_ones_and_a_tenth_of_the_rest_are_kept_whole_all_are_counted_and_exemplars_are_kept(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    ids = random.Random(4)  # noqa: S311 -- always the same traces, so always the same share
    traces = [f"{ids.getrandbits(128):032x}" for _ in range(TRACES)]
    failed, slow = set(traces[:ERRORS]), set(traces[ERRORS : ERRORS + SLOW])
    named: set[str] = set()
    listens = [loopback(), loopback()]
    listen = loopback()
    with trace_sink() as (sink, jaeger):
        gateways = [
            collector(
                gateway_config.render(
                    GatewayConfig(
                        sampling_percentage=10,
                        slow_trace="1s",
                        decision_wait="5s",
                        scrape_interval="5s",
                        memory_bytes=2**29,
                        storage_bytes=2**30,
                        jaeger=jaeger,
                        loki="http://127.0.0.1:9/otlp",
                        prometheus=["127.0.0.1:9"],
                        oldest_line_hours=168,
                        services={"": SERVICES},
                        data_folder=str(tmp_path / f"gateway-{number}" / "data"),
                        listen=one,
                    )
                ),
                tmp_path / f"gateway-{number}",
                one,
            )
            for number, one in enumerate(listens)
        ]
        targets = [f"127.0.0.1:{one.grpc}" for one in listens]
        agent = collector(
            agent_config.render(
                AgentConfig(
                    namespace="agents",
                    app="otel-agent",
                    trace_gateways=targets,
                    log_gateway=targets[0],
                    memory_bytes=2**28,
                    log_folder=str(tmp_path / "pods"),
                    data_folder=str(tmp_path / "agent" / "data"),
                    kubernetes=False,
                    listen=listen,
                )
            ),
            tmp_path / "agent",
            listen,
            agent_config.FLAGS,
        )
        with ExitStack() as running:
            for program in (*gateways, agent):
                running.enter_context(program)
            client = running.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{listen.http}", timeout=30))
            # The services of a trace send for themselves, each from two pods, and in another order.
            for start in range(0, TRACES, 100):
                for number, service in reversed(list(enumerate(SERVICES))):
                    spans = [
                        _span(t, number, error=number == 2 and t in failed, slow=number == 1 and t in slow)
                        for t in traces[start : start + 100]
                    ]
                    for pod, share in (("a", spans[::2]), ("b", spans[1::2])):
                        client.post("/v1/traces", json=_request(service, pod, share)).raise_for_status()

            def all_counted() -> bool:
                for one in listens:
                    named.update(_exemplars(one.span_metrics))
                return (
                    bool(named) and sum(value for one in listens for _, value in _calls(one.span_metrics)) >= 3 * TRACES
                )

            eventually(all_counted, seconds=40, what="span metrics do not count all spans")
            eventually(lambda: failed | slow <= sink.spans.keys(), seconds=40, what="failed or slow traces are missing")

            def decided() -> bool:
                return sum(_decisions(one.metrics) for one in listens) >= TRACES

            eventually(decided, seconds=40, what="not every trace is decided")
            # What is kept passes the queue on disk, which collects for half a second.
            eventually(lambda: _whole(sink), seconds=20, what="kept traces are not whole")
            counts = [_calls(one.span_metrics) for one in listens]
        kept_of_rest = sink.spans.keys() - failed - slow

    record_property("kept of the rest", len(kept_of_rest))
    record_property("exemplars", len(named))
    rest = TRACES - ERRORS - SLOW
    assert 0.07 * rest <= len(kept_of_rest) <= 0.13 * rest
    # The FastAPI package decides by the same function which requests become exemplars.
    package = Sampling(10, 1)
    assert kept_of_rest == {t for t in traces[ERRORS + SLOW :] if package.keeps(int(t, 16), 200, 0.02)}
    # Before, nine of ten led nowhere.
    assert named <= sink.spans.keys()
    assert all(sorted(names) == ["work-0", "work-1", "work-2"] for names in sink.spans.values())
    assert all(sum(value for _, value in gateway) > TRACES for gateway in counts), "one gateway has too small a share"
    calls = Counter[tuple[str, str]]()
    for labels, value in (row for gateway in counts for row in gateway):
        assert set(labels) == {"service_name", "span_name", "span_kind", "status_code"}
        calls[labels["service_name"], labels["status_code"]] += int(value)
    assert calls["front", "STATUS_CODE_UNSET"] == calls["orders", "STATUS_CODE_UNSET"] == TRACES
    assert calls["stock", "STATUS_CODE_UNSET"] == TRACES - ERRORS
    assert calls["stock", "STATUS_CODE_ERROR"] == ERRORS
