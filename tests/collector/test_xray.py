"""The real gateway sends X-Ray only what its OTLP endpoint takes, and the neighbours of what it would not take.

The endpoint that answers here has the documented limits: one span beyond them, and it refuses the request.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from components.collector import gateway_config, span_limits
from components.collector.gateway_config import GatewayConfig
from components.collector.shared_config import Listen
from tests.collector.processes import attributes, collector, loopback
from tools.http_server import Handler, serving
from tools.programs import eventually

HOUR = 3600 * 10**9
REGION = "eu-central-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none", "AWS_EC2_METADATA_DISABLED": "true"}


@dataclass
class XRay:
    """Stands where X-Ray stands."""

    spans: dict[str, Span] = field(default_factory=dict[str, Span])
    """Accepted spans by name."""
    refused: list[str] = field(default_factory=list[str])
    """Why it refused a request."""

    def take(self, body: bytes) -> int:
        """One request, and the status that it gets."""
        request = ExportTraceServiceRequest.FromString(body)
        spans = [span for one in request.resource_spans for scope in one.scope_spans for span in scope.spans]
        now, starts = time.time_ns(), [span.start_time_unix_nano for span in spans]
        limits = {
            "5 MB a request": len(body) <= 5_000_000,
            "10,000 spans a request": len(spans) <= 10_000,
            "200 KB a span": all(span.ByteSize() <= 200_000 for span in spans),
            "2 hours ahead": max(starts) <= now + 2 * HOUR,
            "14 days ago": min(starts) >= now - 14 * 24 * HOUR,
            "24 hours from first to last": max(starts) - min(starts) <= 24 * HOUR,
        }
        broken = [name for name, held in limits.items() if not held]
        self.refused += broken
        self.spans |= {} if broken else {span.name.partition("|")[0]: span for span in spans}
        return 400 if broken else 200


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[XRay, Listen]]:
    folder, listen, x_ray = tmp_path_factory.mktemp("gateway"), loopback(), XRay()

    class Endpoint(Handler):
        def respond(self) -> None:
            self.answer(x_ray.take(self.body()))

    config = GatewayConfig(
        sampling_percentage=100,
        slow_trace="1s",
        decision_wait="1s",
        scrape_interval="5s",
        memory_bytes=2**29,
        storage_bytes=2**30,
        jaeger="127.0.0.1:9",
        loki="http://127.0.0.1:9/otlp",
        prometheus=["127.0.0.1:9"],
        oldest_line_hours=168,
        services={},
        xray_region=REGION,
        data_folder=str(folder / "data"),
        listen=listen,
    )
    with serving(Endpoint) as url:
        text = gateway_config.render(config).replace(f"https://xray.{REGION}.amazonaws.com", url)
        gateway = collector(text, folder, listen)
        gateway.environment = CREDENTIALS
        with gateway:
            yield x_ray, listen


def _text(key: str, text: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=text))


def _events(number: int, text: str = "") -> list[Span.Event]:
    attributes_of = [_text("exception.stacktrace", text), _text("k" * 200, text)] if text else []
    return [
        Span.Event(time_unix_nano=time.time_ns(), name="step" * 500, attributes=attributes_of) for _ in range(number)
    ]


def _at(start: int, seconds: float = 0.001) -> Span:
    return Span(start_time_unix_nano=start, end_time_unix_nano=start + int(seconds * 10**9))


def _odd() -> dict[str, Span]:
    """Kind -> a span that X-Ray would refuse as it is."""
    now = time.time_ns()
    long, wide = "x" * 15_000, "\u65e5" * 5_000
    return {
        "many long attributes": Span(attributes=[_text(f"a{number}", long) for number in range(200)]),
        "long names": Span(attributes=[_text(f"{number}" + "\u65e5" * 250, wide) for number in range(200)]),
        "one large value": Span(attributes=[_text("prompt", "x" * 3_000_000)]),
        "events": Span(events=_events(30, wide)),
        "many events": Span(events=_events(500, "x" * 1_000)),
        "too many events": Span(events=_events(3_000)),
        "long status": Span(status=Status(message="s" * 300_000)),
        "all of it": Span(
            attributes=[_text(f"{number}" + "\u65e5" * 60, wide) for number in range(250)],
            events=_events(32, wide),
            status=Status(message="\u65e5" * 30_000),
        ),
        "of last month": _at(now - 30 * 24 * HOUR),
        "of 1970": _at(1),
        "of yesterday": _at(now - 30 * HOUR),
        "of tomorrow": _at(now + 24 * HOUR),
        "of a week": _at(now - 7 * 24 * HOUR, 7 * 24 * 3600),
    }


def _send(listen: Listen, spans: list[Span]) -> None:
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.extend(
        [_text("service.name", "till"), *(_text(f"r{n}", "y" * 900) for n in range(250))]
    )
    scope = resource.scope_spans.add()
    scope.spans.extend(spans)
    trace = os.urandom(16)
    for span in scope.spans:
        span.trace_id, span.span_id = trace, os.urandom(8)
        if not span.start_time_unix_nano:
            span.start_time_unix_nano = time.time_ns()
            span.end_time_unix_nano = span.start_time_unix_nano + 10**6
    httpx.post(
        f"http://127.0.0.1:{listen.http}/v1/traces",
        content=request.SerializeToString(),
        headers={"Content-Type": "application/x-protobuf"},
        timeout=60,
    ).raise_for_status()


def test_odd_spans_are_cut_and_their_neighbours_arrive(running: tuple[XRay, Listen]) -> None:
    x_ray, listen = running
    sent: set[str] = set()
    for kind, span in _odd().items():
        span.name = f"{kind}|" + "n" * 900
        _send(listen, [Span(name=f"before {kind}"), span, Span(name=f"after {kind}")])
        sent |= {f"before {kind}", kind, f"after {kind}"}
    eventually(lambda: x_ray.refused or sent <= x_ray.spans.keys(), what="spans are missing", seconds=60)
    assert not x_ray.refused
    claimed = {name for name, span in x_ray.spans.items() if span_limits.CLAIMED_START in attributes(span.attributes)}
    assert claimed == {"of last month", "of 1970", "of yesterday", "of tomorrow", "of a week"}
    assert x_ray.spans["too many events"].dropped_events_count == 3_000
    assert len(x_ray.spans["events"].events) == 30


def test_a_trace_of_many_small_spans_is_sent_in_parts(running: tuple[XRay, Listen]) -> None:
    x_ray, listen = running
    names = [f"s{number}" for number in range(25_000)]
    _send(listen, [Span(name=name) for name in names])
    eventually(lambda: x_ray.refused or x_ray.spans.keys() >= set(names), what="spans are missing", seconds=60)
    assert not x_ray.refused
