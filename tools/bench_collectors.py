"""`python -m tools.bench_collectors`: spans and log lines per second of one core, through an agent and a gateway.

Both are the real Collector with the deployed configuration, and lines end in a real Loki. A further Collector that only
counts stands for the store of spans, so that its work is not in the figures. The figures are the CPU time of each
program, not the time that passed, and so hardly depend on what else runs. Exit code 1 if something is lost, or a trace
with an error is not whole.
"""

import argparse
import gzip
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from alerting.loader import write_yaml
from components.collector import agent_config, gateway_config
from components.collector.agent_config import AgentConfig
from components.collector.gateway_config import GatewayConfig
from components.collector.shared_config import Listen
from local.ports import free_ports
from tools.programs import Server, configured
from tools.rule_tests.loki_server import LokiServer, loki

SPANS = 10
"""Spans of a trace."""
ATTRIBUTES = 10
"""Attributes of a span, each of about 30 bytes."""
TRACES = 50
"""Traces of a request."""
ERRORS = 5
"""Every so many traces have an error, and must be kept."""
LINE = {"level": "info", "service": "till", "message": "sold " + "x" * 150, "operation": "sell", "duration_ms": 7}
DECISION_SECONDS = 5
_LOCAL = "127.0.0.1"
_AGAIN = (429, 503)


@dataclass(frozen=True)
class Running:
    """The three Collectors and Loki."""

    agent: Server
    gateway: Server
    loki: LokiServer
    agent_at: Listen
    gateway_at: Listen
    store_at: Listen
    pods: Path

    def cpu(self) -> dict[str, float]:
        """CPU seconds of each program so far."""
        programs = {"agent": self.agent, "gateway": self.gateway, "Loki": self.loki.server}
        return {name: cpu_seconds(server) for name, server in programs.items()}

    def spans_stored(self) -> float:
        """Spans that reached the store."""
        return counted(self.store_at, "otelcol_receiver_accepted_spans")

    def lines_stored(self) -> float:
        """Lines that Loki took."""
        return _sum(f"{self.loki.url}/metrics", "loki_distributor_lines_received_total")


def cpu_seconds(server: Server) -> float:
    """CPU seconds of a running program so far."""
    assert server.process
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def most_memory(server: Server) -> float:
    """MiB of a running program at most so far."""
    assert server.process
    rows: Mapping[str, str] = dict(
        row.split(":", 1) for row in Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    )
    return int(rows["VmHWM"].split()[0]) / 1024


def counted(listen: Listen, metric: str) -> float:
    """Sum of a counter of a Collector."""
    return _sum(f"http://{_LOCAL}:{listen.metrics}/metrics", metric)


def _sum(url: str, metric: str) -> float:
    page = httpx.get(url, timeout=30).text
    lines = [line for line in page.splitlines() if line.startswith((metric + "{", metric + " "))]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench_collectors", description=__doc__)
    parser.add_argument("--spans", type=int, default=100_000, help="number of spans; default: 100000")
    parser.add_argument("--lines", type=int, default=300_000, help="number of log lines; default: 300000")
    chosen = parser.parse_args(arguments)
    with TemporaryDirectory(prefix="bench-") as folder, ExitStack() as running:
        collectors = start(Path(folder), running)
        whole = _spans(collectors, chosen.spans)
        whole &= _lines(collectors, chosen.lines)
    return int(not whole)


def _spans(running: Running, number: int) -> bool:
    bodies = [gzip.compress(body, 1) for body in span_requests(number)]
    sent = len(bodies) * TRACES * SPANS
    failed = len(bodies) * (TRACES // ERRORS) * SPANS
    before, cpu, began = running.spans_stored(), running.cpu(), time.monotonic()
    with httpx.Client(timeout=60) as client:
        for body in bodies:
            headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}
            url = f"http://{_LOCAL}:{running.agent_at.http}/v1/traces"
            while (answer := client.post(url, content=body, headers=headers)).status_code in _AGAIN:
                time.sleep(0.1)  # as an SDK, while the memory limiter refuses
            answer.raise_for_status()
    settled(lambda: counted(running.gateway_at, "otelcol_receiver_accepted_spans"), sent)
    settled(lambda: running.spans_stored() - before, failed, more=3 * DECISION_SECONDS)
    used, seconds = _used(running, cpu, "agent", "gateway"), time.monotonic() - began
    kept = running.spans_stored() - before
    arrived = counted(running.gateway_at, "otelcol_receiver_accepted_spans")
    print(f"spans: {sent} sent, {arrived:.0f} arrived, {kept:.0f} kept ({failed} of traces with an error)")
    total = sum(used.values())
    print(f"spans: {sent / total:,.0f} per second and core ({total:.1f} CPU seconds, {seconds:.0f} s passed)")
    return arrived >= sent and kept >= failed and kept % SPANS == 0


def _lines(running: Running, number: int) -> bool:
    before, cpu, began = running.lines_stored(), running.cpu(), time.monotonic()
    size = _write(running.pods, number)
    settled(lambda: running.lines_stored() - before, number)
    used, seconds = _used(running, cpu, "agent", "gateway", "Loki"), time.monotonic() - began
    stored = running.lines_stored() - before
    print(f"lines: {number} written, {stored:.0f} stored, {seconds:.0f} s passed")
    for name, cost in (*used.items(), ("all three", sum(used.values()))):
        rates = f"{number / cost:,.0f} per second and core, {size / cost / 1e6:.1f} MB/s"
        print(f"lines, {name}: {rates} ({cost:.1f} CPU seconds)")
    return stored >= number


def _used(running: Running, before: dict[str, float], *names: str) -> dict[str, float]:
    """CPU seconds of these programs since then."""
    now = running.cpu()
    return {name: max(now[name] - before[name], 0.01) for name in names}


def settled(value: Callable[[], float], wanted: float, more: float = 0) -> None:
    """Wait until the value is reached and, for `more` seconds at least, does not grow any more; at most 4 minutes."""
    deadline, last, still_since = time.monotonic() + 240, -1.0, time.monotonic()
    while time.monotonic() < deadline:
        now = value()
        if now != last:
            last, still_since = now, time.monotonic()
        if last >= wanted and time.monotonic() - still_since >= more:
            return
        time.sleep(0.5)


def span_requests(spans: int) -> Iterator[bytes]:
    for number in range(spans // (TRACES * SPANS)):
        request, now = ExportTraceServiceRequest(), time.time_ns()
        resource = request.resource_spans.add()
        resource.resource.attributes.append(text("service.name", "till"))
        scope = resource.scope_spans.add()
        attributes = [text(f"attribute.{i}", f"value {number} {i} of a usual size") for i in range(ATTRIBUTES)]
        for trace in range(number * TRACES, (number + 1) * TRACES):
            for one in range(SPANS):
                span = scope.spans.add()
                # Spread over all ids, of whose hashes sampling keeps a share.
                span.trace_id = (trace * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128 or 1).to_bytes(16)
                span.span_id, span.name = (trace * SPANS + one + 1).to_bytes(8), f"work-{one}"
                span.start_time_unix_nano, span.end_time_unix_nano = now, now + 10**6
                span.attributes.extend(attributes)
                if trace % ERRORS == 0 and one == 0:
                    span.status.code = Status.STATUS_CODE_ERROR
        yield request.SerializeToString()


def text(key: str, text: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=text))


def _write(pods: Path, number: int) -> int:
    """A container's log file with so many lines. Returns the bytes of the lines."""
    folder = pods / "shop_till-0_0a1b2c3d-0000-4000-8000-0123456789ab" / "till"
    folder.mkdir(parents=True)
    line = json.dumps(LINE)
    now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    with (folder / "0.log").open("w") as log:
        log.writelines(f"{now}.{index:09d}Z stdout F {line}\n" for index in range(number))
    return number * (len(line) + 1)


def start(
    folder: Path,
    running: ExitStack,
    *,
    limits: Mapping[str, Any] | None = None,
    changed: Callable[[str, str], str] = lambda _, text: text,
) -> Running:
    """The Collectors and Loki, which run as long as the stack is open.

    `limits` replaces some of Loki's. `changed` gets a Collector's name and configuration.
    """
    store_at, gateway_at, agent_at = (_loopback() for _ in range(3))
    pods = folder / "pods"
    pods.mkdir()
    target = f"{_LOCAL}:{gateway_at.grpc}"
    store = running.enter_context(loki(folder / "loki", memory_bytes=2**30, any_age=False, limits=limits or {}))
    gateway = GatewayConfig(
        sampling_percentage=10,
        slow_trace="5s",
        decision_wait=f"{DECISION_SECONDS}s",
        scrape_interval="30s",
        memory_bytes=2**30,
        storage_bytes=2**32,
        jaeger=f"{_LOCAL}:{store_at.grpc}",
        loki=f"{store.url}/otlp",
        prometheus=[f"{_LOCAL}:{store_at.http}"],
        oldest_line_hours=168,
        services={"": ["till"]},
        data_folder=str(folder / "gateway" / "data"),
        listen=gateway_at,
    )
    agent = AgentConfig(
        namespace="agents",
        app="otel-agent",
        trace_gateways=[target],
        log_gateway=f"dns:///{target}",
        memory_bytes=2**29,
        log_folder=str(pods),
        data_folder=str(folder / "agent" / "data"),
        kubernetes=False,
        listen=agent_at,
    )
    servers = [
        _collector(changed(name, config), folder / name, listen, flags)
        for name, config, listen, flags in (
            ("store", _store(store_at), store_at, ()),
            ("gateway", gateway_config.render(gateway), gateway_at, ()),
            ("agent", agent_config.render(agent), agent_at, agent_config.FLAGS),
        )
    ]
    for server in servers:
        running.enter_context(server)
    return Running(servers[2], servers[1], store, agent_at, gateway_at, store_at, pods)


def _store(listen: Listen) -> str:
    """A Collector that counts what it receives and drops it."""
    protocols = {
        "grpc": {"endpoint": f"{_LOCAL}:{listen.grpc}", "max_recv_msg_size_mib": 64},
        "http": {"endpoint": f"{_LOCAL}:{listen.http}", "max_request_body_size": 2**26},
    }
    exporter = {"prometheus": {"host": _LOCAL, "port": listen.metrics, "without_type_suffix": True}}
    pipeline = {"receivers": ["otlp"], "processors": ["filter"], "exporters": ["debug"]}
    return write_yaml(
        {
            "extensions": {"health_check": {"endpoint": f"{_LOCAL}:{listen.health}"}},
            "receivers": {"otlp": {"protocols": protocols}},
            "processors": {"filter": {"traces": {"span": ["true"]}}},
            "exporters": {"debug": {"verbosity": "basic"}},
            "service": {
                "extensions": ["health_check"],
                "pipelines": {"traces": pipeline},
                "telemetry": {
                    "metrics": {"level": "normal", "readers": [{"pull": {"exporter": exporter}}]},
                    "logs": {"level": "error"},
                },
            },
        }
    )


def _collector(config: str, folder: Path, listen: Listen, flags: tuple[str, ...]) -> Server:
    return configured("otelcol-contrib", config, folder, f"http://{_LOCAL}:{listen.health}/", flags)


def _loopback() -> Listen:
    grpc, http, metrics, span_metrics, health = free_ports(5)
    return Listen(host=_LOCAL, grpc=grpc, http=http, metrics=metrics, span_metrics=span_metrics, health=health)


if __name__ == "__main__":
    sys.exit(main())
