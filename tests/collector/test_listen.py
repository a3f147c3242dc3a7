"""As they are configured in a pod, programs are reached by IPv4 and by IPv6, and have little to say."""

import dataclasses
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from components.collector import gateway_config
from components.collector.gateway_config import GatewayConfig
from components.collector.shared_config import Listen
from components.traces import jaeger_config
from components.traces.jaeger_config import JaegerConfig
from tests.collector import jaeger
from tests.collector.processes import collector, loopback
from tools.programs import Server, configured


def _ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


# A machine without IPv6 cannot tell; there only IPv4 is asked.
ADDRESSES = ("127.0.0.1", "::1") if _ipv6() else ("127.0.0.1",)


def _gateway(folder: Path) -> tuple[Server, list[int]]:
    listen = dataclasses.replace(loopback(), host=Listen().host)
    config = GatewayConfig(
        sampling_percentage=10,
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
        data_folder=str(folder / "data"),
        listen=listen,
    )
    ports = [listen.grpc, listen.http, listen.metrics, listen.span_metrics, listen.health]
    return collector(gateway_config.render(config), folder / "gateway", listen), ports


def _jaeger(folder: Path) -> tuple[Server, list[int]]:
    listen = dataclasses.replace(jaeger.loopback(), host=jaeger_config.Listen().host)
    config = JaegerConfig(
        retention="1y", prometheus="http://127.0.0.1:9", data_folder=str(folder / "data"), listen=listen
    )
    ports = [listen.grpc, listen.http, listen.query, listen.query_grpc, listen.metrics, listen.health]
    return configured("jaeger", jaeger_config.render(config), folder / "jaeger", jaeger.health(listen)), ports


@pytest.mark.parametrize("listening", [_gateway, _jaeger])
def test_every_port_answers_on_both_and_a_start_is_no_news(
    tmp_path: Path, listening: Callable[[Path], tuple[Server, list[int]]]
) -> None:
    program, ports = listening(tmp_path)
    with program:
        for port in ports:
            for address in ADDRESSES:
                socket.create_connection((address, port), timeout=10).close()
    assert '"level":"info"' not in program.log
