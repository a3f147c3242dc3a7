"""One agent, one gateway and a sink for logs, with a folder of pods' log files."""

import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from components.collector import agent_config as collector_agent_config
from components.collector import gateway_config as collector_gateway_config
from components.collector.agent_config import AgentConfig
from components.collector.gateway_config import GatewayConfig
from tests.collector.processes import LogSink, collector, log_sink, loopback
from tools.programs import Server

SERVICES = {"shop": ["controller", "shop.orders_v2"], "": ["checkout"]}
"""Services that become labels, by namespace."""


@dataclass
class Pipeline:
    """From log files to the sink."""

    pods: Path
    agent: Server
    gateway: Server
    sink: LogSink
    otlp: str
    """URL of the agent for programs."""
    gateway_otlp: str
    """URL of the gateway for agents."""
    gateway_grpc: str
    """gRPC target of the gateway."""
    metrics: int
    """Port of the gateway's own metrics."""
    agent_metrics: int
    """Port of the agent's own metrics."""
    span_metrics: int
    """Port of its span metrics."""

    def file(self, namespace: str = "shop", pod: str = "till-0", container: str = "till", name: str = "0.log") -> Path:
        """A container's log file."""
        folder = self.pods / f"{namespace}_{pod}_0a1b2c3d-0000-4000-8000-0123456789ab" / container
        folder.mkdir(parents=True, exist_ok=True)
        return folder / name


def write(file: Path, *lines: str, tag: str = "F") -> None:
    """Appends lines as containerd does."""
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000000001Z", time.gmtime())
    with file.open("a") as log:
        log.write("".join(f"{now} stdout {tag} {line}\n" for line in lines))


@contextmanager
def log_pipeline(
    folder: Path,
    log_index: str | None = None,
    storage_bytes: int = 2**30,
    jaeger: str = "127.0.0.1:9",
    loki: str | None = None,
    prometheus: Sequence[str] = ("127.0.0.1:9",),
    *,
    decision_wait: str = "1s",
) -> Generator[Pipeline]:
    """All of it, running; with `log_index` the gateway sends lines of requests to this URL, too.

    Kept traces go to host:port `jaeger`, and pushed metrics to each of `prometheus`. Lines go to the URL `loki`, or to
    the sink.
    """
    pods, listen, gateway_listen = folder / "pods", loopback(), loopback()
    pods.mkdir(parents=True)
    target = f"127.0.0.1:{gateway_listen.grpc}"
    with log_sink() as sink:
        gateway_config = GatewayConfig(
            sampling_percentage=10,
            slow_trace="1s",
            decision_wait=decision_wait,
            scrape_interval="5s",
            memory_bytes=2**29,
            storage_bytes=storage_bytes,
            jaeger=jaeger,
            loki=loki or sink.url,
            prometheus=prometheus,
            oldest_line_hours=168,
            services=SERVICES,
            log_index=log_index,
            data_folder=str(folder / "gateway" / "data"),
            listen=gateway_listen,
        )
        agent_config = AgentConfig(
            namespace="agents",
            app="otel-agent",
            trace_gateways=[target],
            log_gateway=f"dns:///{target}",
            memory_bytes=2**28,
            log_folder=str(pods),
            data_folder=str(folder / "agent" / "data"),
            kubernetes=False,
            listen=listen,
        )
        gateway = collector(
            _impatient(collector_gateway_config.render(gateway_config)), folder / "gateway", gateway_listen
        )
        agent = collector(
            _impatient(collector_agent_config.render(agent_config)),
            folder / "agent",
            listen,
            collector_agent_config.FLAGS,
        )
        with gateway, agent:
            yield Pipeline(
                pods=pods,
                agent=agent,
                gateway=gateway,
                sink=sink,
                otlp=f"http://127.0.0.1:{listen.http}",
                gateway_otlp=f"http://127.0.0.1:{gateway_listen.http}",
                gateway_grpc=f"dns:///{target}",
                metrics=gateway_listen.metrics,
                agent_metrics=listen.metrics,
                span_metrics=gateway_listen.span_metrics,
            )


_SHORTER = {"initial_interval: 1s\n": "initial_interval: 100ms\n", "flush_timeout: 500ms\n": "flush_timeout: 100ms\n"}


def _impatient(config: str) -> str:
    """Requests are collected, and tried again, for less time than a cluster can afford."""
    for long, short in _SHORTER.items():
        assert long in config
        config = config.replace(long, short)
    return config
