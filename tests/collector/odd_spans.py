"""Spans with something odd, and a program that sends them."""

import time

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from settings import sizes
from tools.programs import eventually

SPANS = 6
"""Spans of a trace, one of which is odd."""
_YEAR = 365 * 86_400 * 10**9
INVALID, IN_PLACE_OF = b"\xff\xfe", "\x01\x02"
"""Bytes that are no UTF-8, and what stands for them where Python insists on text."""


def _text(key: str, text: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=text))


def kinds() -> dict[str, Span]:
    """Kind -> a span with something odd."""
    now = time.time_ns()
    events = [Span.Event(time_unix_nano=now, name="step") for _ in range(2_000)]
    # As many as SDKs allow of each.
    attributes = [_text(f"a{number}", "v") for number in range(128)]
    detailed = [Span.Event(time_unix_nano=now, name="step", attributes=attributes) for _ in range(128)]
    return {
        "plain": Span(),
        "large": Span(attributes=[_text("prompt", "x" * 2_500_000)]),
        "as large as a request": Span(attributes=[_text("prompt", "x" * (sizes.REQUEST_BYTES - 100_000))]),
        "many attributes": Span(attributes=[_text(f"a{i}", "v" * 100) for i in range(2_000)]),
        "many events": Span(events=events),
        "too many events": Span(events=events * 3),
        "many attributes of events": Span(events=detailed),
        "attributes of many events": Span(events=detailed * 6),
        "of 1970": Span(start_time_unix_nano=1, end_time_unix_nano=2),
        "of next year": Span(start_time_unix_nano=now + _YEAR, end_time_unix_nano=now + _YEAR),
        "odd names": Span(attributes=[_text("", "a"), _text("___", "b"), _text("\u65e5\u672c", "c")]),
        "invalid UTF-8": Span(attributes=[_text("text", IN_PLACE_OF), _text(IN_PLACE_OF, "name")]),
        "NUL": Span(attributes=[_text("nul", "a\x00b")]),
        "long name": Span(name="n" * 70_000),
    }


def send(url: str, trace: bytes, odd: Span) -> int:
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
        if not span.start_time_unix_nano:
            span.start_time_unix_nano, span.end_time_unix_nano = now, now + 10**6
        # Traces with an error are kept.
        span.status.code = Status.STATUS_CODE_ERROR
    body = request.SerializeToString().replace(IN_PLACE_OF.encode(), INVALID)

    def accepted() -> bool:
        kind = {"Content-Type": "application/x-protobuf"}
        return httpx.post(f"{url}/v1/traces", content=body, headers=kind, timeout=60).is_success

    eventually(accepted, seconds=60, what="no agent takes the trace")
    return SPANS
