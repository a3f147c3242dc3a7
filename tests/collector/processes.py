"""Real collectors on this machine's loopback, from rendered configurations, and somebody to send to."""

import gzip
import threading
from collections.abc import Generator
from concurrent import futures
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from components.collector.shared_config import Listen
from local.ports import free_port, free_ports
from tools.http_server import Handler, serving
from tools.programs import Server, configured


def loopback() -> Listen:
    """Addresses of one more collector."""
    grpc_port, http, metrics, span_metrics, health = free_ports(5)
    return Listen(
        host="127.0.0.1", grpc=grpc_port, http=http, metrics=metrics, span_metrics=span_metrics, health=health
    )


def collector(config: str, folder: Path, listen: Listen, flags: tuple[str, ...] = ()) -> Server:
    """A collector, not yet started."""
    return configured("otelcol-contrib", config, folder, f"http://127.0.0.1:{listen.health}/", flags)


def attributes(values: Any) -> dict[str, Any]:
    """OTLP's attributes as a dict."""

    def plain(one: KeyValue) -> Any:
        return getattr(one.value, one.value.WhichOneof("value") or "string_value")

    return {one.key: plain(one) for one in values}


@dataclass
class TraceSink:
    """Stands where Jaeger stands, and counts."""

    spans: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """Trace id -> names of its spans, one for each time it came."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, request: ExportTraceServiceRequest, _: object) -> ExportTraceServiceResponse:
        """One request."""
        with self._lock:
            for resource in request.resource_spans:
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        self.spans.setdefault(span.trace_id.hex(), []).append(span.name)
        return ExportTraceServiceResponse()


@contextmanager
def trace_sink() -> Generator[tuple[TraceSink, str]]:
    """A sink and its host:port."""
    sink = TraceSink()
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    handler = grpc.unary_unary_rpc_method_handler(
        sink.take,
        request_deserializer=ExportTraceServiceRequest.FromString,
        response_serializer=ExportTraceServiceResponse.SerializeToString,
    )
    service = "opentelemetry.proto.collector.trace.v1.TraceService"
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"Export": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield sink, f"127.0.0.1:{port}"
    finally:
        server.stop(grace=None).wait()


@dataclass
class Line:
    """A log line as Loki would get it."""

    body: str
    resource: dict[str, Any]
    attributes: dict[str, Any]
    trace_id: str
    span_id: str
    severity: int


@dataclass
class LogSink:
    """Stands where Loki stands."""

    port: int = field(default_factory=free_port)
    status: int = 200
    """What it answers; only with 200 it keeps the lines."""
    lines: list[Line] = field(default_factory=list[Line])
    refused: int = 0
    """Requests that got another answer than 200."""
    _running: ExitStack = field(default_factory=ExitStack)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/otlp"

    def start(self) -> None:
        sink = self

        class Sink(Handler):
            def respond(self) -> None:
                body = self.body()
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                if sink.status == 200 and self.path == "/otlp/v1/logs":
                    sink.take(ExportLogsServiceRequest.FromString(body))
                else:
                    sink.refused += 1
                self.answer(sink.status)

        self._running.enter_context(serving(Sink, self.port))

    def stop(self) -> None:
        self._running.close()

    def take(self, request: ExportLogsServiceRequest) -> None:
        for resource in request.resource_logs:
            for scope in resource.scope_logs:
                self.lines += [
                    Line(
                        body=record.body.string_value,
                        resource=attributes(resource.resource.attributes),
                        attributes=attributes(record.attributes),
                        trace_id=record.trace_id.hex(),
                        span_id=record.span_id.hex(),
                        severity=record.severity_number,
                    )
                    for record in scope.log_records
                ]

    def bodies(self) -> list[str]:
        return [line.body for line in self.lines]


@contextmanager
def log_sink() -> Generator[LogSink]:
    """A sink that answers."""
    sink = LogSink()
    sink.start()
    try:
        yield sink
    finally:
        sink.stop()
