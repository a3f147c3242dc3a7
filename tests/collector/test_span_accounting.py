"""Spans through real agent, gateway and Jaeger, which restart in between: each trace is whole."""

import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from components.traces import jaeger_config
from components.traces.jaeger_config import JaegerConfig
from settings import sizes
from tests.collector import jaeger
from tests.collector.pipeline import log_pipeline
from tools.programs import configured, eventually

SPANS = 6
INVALID, IN_PLACE_OF = b"\xff\xfe", "\x01\x02"
"""Bytes that are no UTF-8, and what stands for them where Python insists on text."""


def _text(key: str, text: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=text))


def _odd() -> dict[str, Span]:
    """Kind -> a span with something odd."""
    now = time.time_ns()
    events = [Span.Event(time_unix_nano=now, name="step") for _ in range(2_000)]
    return {
        "plain": Span(),
        "large": Span(attributes=[_text("prompt", "x" * 2_500_000)]),
        "as large as a request": Span(attributes=[_text("prompt", "x" * (sizes.REQUEST_BYTES - 100_000))]),
        "many attributes": Span(attributes=[_text(f"a{i}", "v" * 100) for i in range(2_000)]),
        "many events": Span(events=events),
        "odd names": Span(attributes=[_text("", "a"), _text("___", "b"), _text("\u65e5\u672c", "c")]),
        "invalid UTF-8": Span(attributes=[_text("text", IN_PLACE_OF), _text(IN_PLACE_OF, "name")]),
        "NUL": Span(attributes=[_text("nul", "a\x00b")]),
        "long name": Span(name="n" * 70_000),
    }


def _send(url: str, trace: bytes, odd: Span) -> int:
    """One trace, as an SDK sends it: again until it is accepted. Returns the number of its spans."""
    now = time.time_ns()
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.append(_text("service.name", "till"))
    for number in range(SPANS):
        span = resource.scope_spans.add().spans.add()
        if number == SPANS // 2:
            span.CopyFrom(odd)
        span.trace_id, span.span_id = trace, (number + 1).to_bytes(8)
        span.name = span.name or f"work-{number}"
        span.start_time_unix_nano, span.end_time_unix_nano = now, now + 10**6
        # Traces with an error are kept.
        span.status.code = Status.STATUS_CODE_ERROR
    body = request.SerializeToString().replace(IN_PLACE_OF.encode(), INVALID)

    def accepted() -> bool:
        kind = {"Content-Type": "application/x-protobuf"}
        return httpx.post(f"{url}/v1/traces", content=body, headers=kind, timeout=60).is_success

    eventually(accepted, seconds=60, what="no agent takes the trace")
    return SPANS


def test_every_trace_is_whole_over_restarts(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    listen = jaeger.loopback()
    config = jaeger_config.render(
        JaegerConfig(
            retention="7d", prometheus="http://127.0.0.1:9", data_folder=str(tmp_path / "traces"), listen=listen
        )
    )
    store = configured("jaeger", config, tmp_path / "jaeger", jaeger.health(listen))
    sent: dict[str, int] = {}
    kinds: dict[str, str] = {}

    def stored() -> Counter[str]:
        found: Counter[str] = Counter()
        for trace in sent:
            answer = httpx.get(f"http://127.0.0.1:{listen.query}/api/traces/{trace}", timeout=60)
            if answer.is_success:
                (one,) = answer.json()["data"]
                # A second delivery has the same ids.
                found[trace] = len({span["spanID"] for span in one["spans"]})
        return found

    def whole() -> bool:
        found = stored()
        torn = {kinds[trace]: found[trace] for trace, count in sent.items() if found[trace] != count}
        if torn:
            # The failure of `eventually` then shows it.
            raise KeyError(torn)
        return True

    with store, log_pipeline(tmp_path / "collectors", jaeger=f"127.0.0.1:{listen.grpc}") as pipeline:

        def mixed() -> None:
            for kind, odd in _odd().items():
                trace = (len(sent) + 1).to_bytes(16)
                kinds[trace.hex()] = kind
                sent[trace.hex()] = _send(pipeline.otlp, trace, odd)

        mixed()
        # A killed agent loses the spans of half a second, see components/collector/__init__.py.
        pipeline.agent.end(signal.SIGTERM)
        pipeline.agent.start()
        mixed()
        store.end(signal.SIGKILL)
        mixed()
        store.start()
        eventually(whole, seconds=60, what="traces are missing or torn", pause=1)
        pipeline.gateway.end(signal.SIGTERM)
        pipeline.gateway.start()
        mixed()
        eventually(whole, seconds=60, what="traces are missing or torn", pause=1)
        found = stored()
    record_property("sent", sum(sent.values()))
    record_property("stored", found.total())
    assert found == sent
