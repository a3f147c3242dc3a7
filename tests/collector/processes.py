"""Real collectors and Jaegers on this machine's loopback, from rendered configurations, and somebody to send to."""

import gzip
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Generator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from components.collector_config import Listen
from local.ports import free_port, free_ports
from local.toolchain import tool

START_SECONDS = 60.0


def loopback() -> Listen:
    """Addresses of one more collector."""
    grpc_port, http, metrics, span_metrics, health = free_ports(5)
    return Listen(
        host="127.0.0.1", grpc=grpc_port, http=http, metrics=metrics, span_metrics=span_metrics, health=health
    )


def eventually(condition: Callable[[], Any], *, seconds: float, what: str) -> Any:
    """The first true answer of `condition`; fails with `what` when there is none in time."""
    deadline = time.monotonic() + seconds
    last: Any = None
    while time.monotonic() < deadline:
        try:
            last = condition()
            if last:
                return last
        except (httpx.HTTPError, KeyError) as error:  # not yet there; part of the failure
            last = error
        time.sleep(0.2)
    return pytest.fail(f"{what}; last answer after {seconds:.0f} s: {last!r}")


@dataclass
class Program:
    """A program with one configuration file, which can be ended, killed and started again."""

    name: str
    config: str
    folder: Path
    health: str
    """URL that answers 200 when it is ready."""
    flags: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it and waits until it is ready."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "config.yaml"
        file.write_text(self.config)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [tool(self.name), f"--config={file}", *self.flags], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._healthy():
            if self.process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"{self.name} does not start:\n{(self.folder / 'log').read_text()[-3000:]}")
            time.sleep(0.1)

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Ends it, and waits until it is gone."""
        if self.process is None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def _healthy(self) -> bool:
        try:
            return httpx.get(self.health, timeout=2).is_success
        except httpx.HTTPError:
            return False


def collector(config: str, folder: Path, listen: Listen, flags: tuple[str, ...] = ()) -> Program:
    """A collector, not yet started."""
    return Program("otelcol-contrib", config, folder, f"http://127.0.0.1:{listen.health}/", flags)


@contextmanager
def running(*programs: Program) -> Generator[None]:
    """Starts the programs in this order; none is left."""
    try:
        for program in programs:
            program.start()
        yield
    finally:
        for program in reversed(programs):
            program.end(signal.SIGKILL)


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
    _server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/otlp"

    def start(self) -> None:
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                if sink.status == 200 and self.path == "/otlp/v1/logs":
                    sink.take(ExportLogsServiceRequest.FromString(body))
                else:
                    sink.refused += 1
                self.send_response(sink.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the base class calls it so
                del format, args

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()

    def stop(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

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
