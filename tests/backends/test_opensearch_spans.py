"""Odd spans through the real agent, gateway and Jaeger to a real OpenSearch: each trace is whole.

Jaeger has the rights of its own user only.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from components.opensearch.user import WRITES, role
from components.traces import jaeger_config
from tests.backends.front import front
from tests.backends.jaeger_opensearch import PASSWORD, USER, Jaeger
from tests.backends.opensearch import OpenSearchNode
from tests.backends.servers import certificate
from tests.collector import odd_spans
from tests.collector.pipeline import log_pipeline
from tools.programs import eventually

ROLE = role(jaeger_config.INDICES, jaeger_config.CLUSTER_ACTIONS, [*WRITES, *jaeger_config.READS])
pytestmark = pytest.mark.xdist_group("opensearch")


@pytest.fixture(scope="module")
def jaeger(opensearch_node: OpenSearchNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jaeger]:
    folder = tmp_path_factory.mktemp("spans")
    tls = certificate(folder / "tls")
    with (
        front(opensearch_node.url, tls, USER, PASSWORD, ROLE) as opensearch,
        Jaeger(folder / "jaeger", opensearch, tls) as running,
    ):
        yield running


def test_every_trace_is_whole_in_opensearch(jaeger: Jaeger, opensearch_node: OpenSearchNode, tmp_path: Path) -> None:
    sent: dict[str, str] = {}

    def whole() -> bool:
        torn: dict[str, int] = {}
        for trace, kind in sent.items():
            answer = httpx.get(f"{jaeger.query}/api/traces/{trace}", timeout=60)
            spans = answer.json()["data"][0]["spans"] if answer.is_success else []
            if len({span["spanID"] for span in spans}) != odd_spans.SPANS:
                torn[kind] = len(spans)
        if torn:
            # The failure of `eventually` then shows it.
            raise KeyError(torn)
        return True

    with log_pipeline(tmp_path / "collectors", jaeger=f"127.0.0.1:{jaeger.listen.grpc}") as pipeline:
        for number, (kind, odd) in enumerate(odd_spans.kinds().items()):
            trace = (2**64 + number).to_bytes(16)
            sent[trace.hex()] = kind
            odd_spans.send(pipeline.otlp, trace, odd)
        eventually(whole, seconds=60, what="traces are missing or torn", pause=2)
    days = {
        one["index"].rpartition("span-")[2]
        for one in httpx.get(f"{opensearch_node.url}/_cat/indices/*jaeger-span-*?format=json", timeout=60).json()
    }
    # Around midnight there are two.
    assert len(days) <= 2, "a wrong clock makes indices"


def test_what_opensearch_refuses_is_counted(jaeger: Jaeger) -> None:
    """Jaeger accepts a span before OpenSearch has it; the alerts TelemetryLost and JaegerStorageErrors read this."""
    metrics = f"http://127.0.0.1:{jaeger.listen.metrics}/metrics"

    def refused() -> float:
        text = httpx.get(metrics).text
        return sum(map(float, re.findall(r"^jaeger_storage_bulk_index_errors\{.*\} (\S+)$", text, re.M)))

    before = refused()
    odd_spans.send(
        f"http://127.0.0.1:{jaeger.listen.http}", (3 * 2**64).to_bytes(16), odd_spans.kinds()["too many events"]
    )
    eventually(lambda: refused() > before, what="the span that OpenSearch refuses is not counted")
