"""Real collectors count the requests that their receivers refuse before they count records."""

import re
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import grpc
import httpx
import pytest
import yaml
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from components.collector import agent_config, gateway_config
from components.collector.agent_config import AgentConfig
from components.collector.gateway_config import GatewayConfig
from components.collector.shared_config import Listen
from settings import sizes
from tests.collector.processes import collector, loopback
from tests.mock_engine import ROOT
from tools.programs import eventually

_SERIES = re.compile(r"^(?P<name>\w+)\{(?P<labels>.*)\} (?P<value>\S+)$", re.M)
_EXPORT = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
_LABEL = re.compile(r'(\w+)="([^"]*)"')
STATUS = {"http": "http_response_status_code", "grpc": "rpc_response_status_code"}
"""Protocol -> the label with what a request was answered."""


def _agent(folder: Path, listen: Listen) -> str:
    config = AgentConfig(
        namespace="agents",
        app="otel-agent",
        trace_gateways=["127.0.0.1:9"],
        log_gateway="dns:///127.0.0.1:9",
        memory_bytes=2**28,
        log_folder=str(folder / "pods"),
        data_folder=str(folder / "data"),
        kubernetes=False,
        listen=listen,
    )
    return agent_config.render(config)


def _gateway(folder: Path, listen: Listen) -> str:
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
    return gateway_config.render(config)


Rendered = Callable[[Path, Listen], str]
SIZES = {_agent: sizes.REQUEST_BYTES, _gateway: sizes.RECEIVER_BYTES}
"""The largest request of each."""


def _logs(text: str) -> bytes:
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.add().body.string_value = text
    return request.SerializeToString()


def _over_http(listen: Listen, body: bytes, host: str = "") -> int:
    headers = {"Content-Type": "application/x-protobuf", **({"Host": host} if host else {})}
    return httpx.post(f"http://127.0.0.1:{listen.http}/v1/logs", content=body, headers=headers, timeout=60).status_code


def _over_grpc(listen: Listen, body: bytes) -> grpc.StatusCode:
    with closing(grpc.insecure_channel(f"127.0.0.1:{listen.grpc}", [("grpc.max_send_message_length", -1)])) as channel:
        try:
            channel.unary_unary(_EXPORT)(body, timeout=60)
        except grpc.RpcError as error:
            return error.code()
    return grpc.StatusCode.OK


def _series(listen: Listen) -> list[tuple[str, dict[str, str], float]]:
    """Name, labels and value of each series of the agent about itself."""
    text = httpx.get(f"http://127.0.0.1:{listen.metrics}/metrics").text
    return [(one["name"], dict(_LABEL.findall(one["labels"])), float(one["value"])) for one in _SERIES.finditer(text)]


def _kinds(listen: Listen) -> set[tuple[str, tuple[str, ...]]]:
    """Name and labels' names of each kind of series."""
    return {(name, tuple(labels)) for name, labels, _ in _series(listen)}


def _requests(listen: Listen) -> Counter[tuple[str, str]]:
    """Protocol and status -> requests."""
    return Counter(
        {
            (protocol, status): int(value)
            for name, labels, value in _series(listen)
            for protocol, label in STATUS.items()
            if name == f"otelcol_receiver_{protocol}_requests_count" and (status := labels[label])
        }
    )


def _alerts_on(protocol: str, status: str) -> bool:
    rules = (ROOT / "rules" / "prometheus" / "platform-losses.yaml").read_text()
    (matcher,) = re.findall(rf'otelcol_receiver_{protocol}_requests_count{{{STATUS[protocol]}=~"([^"]+)"}}', rules)
    return re.fullmatch(matcher, status) is not None


def _exchange(listen: Listen, largest: int) -> int:
    """Requests that are accepted, too large, and no OTLP, from clients with names of their own for the collector.

    Returns how many of each protocol.
    """
    bodies = (_logs("small"), _logs("x" * largest), b"no OTLP")
    for number, body in enumerate(bodies):
        _over_http(listen, body, f"collector-{number}.example.com")
        _over_grpc(listen, body)
    return len(bodies)


@pytest.mark.parametrize("render", SIZES)
def test_refused_requests_are_counted_by_what_the_alert_reads(tmp_path: Path, render: Rendered) -> None:
    listen = loopback()
    with collector(render(tmp_path, listen), tmp_path, listen, agent_config.FLAGS):
        # The collector is asked whether it is ready, over HTTP.
        before = _requests(listen)
        sent = _exchange(listen, SIZES[render])
        eventually(lambda: (_requests(listen) - before).total() >= 2 * sent, what="a request is not counted")
        counted = _requests(listen) - before
    refused = Counter[str]()
    for (protocol, status), number in counted.items():
        refused[protocol] += number if _alerts_on(protocol, status) else 0
    assert refused == {"http": 2, "grpc": 2}, counted
    assert not _alerts_on("http", "503"), "programs send again"
    assert not _alerts_on("grpc", "UNAVAILABLE"), "programs send again"


@pytest.mark.parametrize("render", SIZES)
def test_a_collector_has_no_other_series_than_at_the_usual_level(tmp_path: Path, render: Rendered) -> None:
    """Addresses that clients choose would be labels, and sizes would have to be computed."""
    requests = {
        (f"otelcol_receiver_{protocol}_requests_{part}", labels)
        for protocol, label in STATUS.items()
        for part, labels in (("count", (label,)), ("sum", (label,)), ("bucket", (label, "le")))
    }
    counted, usual = loopback(), loopback()
    with (
        collector(render(tmp_path / "counted", counted), tmp_path / "counted", counted, agent_config.FLAGS),
        collector(_usual(render(tmp_path / "usual", usual)), tmp_path / "usual", usual, agent_config.FLAGS),
    ):
        for listen in (counted, usual):
            _exchange(listen, SIZES[render])

        def same() -> bool:
            found = _kinds(counted) - _kinds(usual), _kinds(usual) - _kinds(counted)
            if found != (requests, set()):
                # The failure of `eventually` then shows it.
                raise KeyError(found)
            return True

        # Some series begin with a later event, such as a full window of the sampling.
        eventually(same, what="the series differ")


def _usual(config: str) -> str:
    document = yaml.safe_load(config)
    metrics = document["service"]["telemetry"]["metrics"]
    metrics["level"] = "normal"
    del metrics["views"]
    return yaml.safe_dump(document)
