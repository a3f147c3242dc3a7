"""A real OpenSearch restarts: it still has Jaeger's traces, and gets the lines that were written meanwhile.

A restart takes seconds, so one fixture does it for both tests.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from components.logs.log_index import NAME
from tests.backends.front import front
from tests.backends.jaeger_opensearch import PASSWORD, USER, Jaeger
from tests.backends.opensearch import OpenSearchNode
from tests.backends.servers import certificate
from tests.collector.jaeger import store
from tests.collector.pipeline import log_pipeline
from tests.log_index.conftest import Apply, clean
from tests.log_index.test_lines import ARRIVES, documents, endpoint, line, write
from tools.programs import eventually

pytestmark = [pytest.mark.xdist_group("opensearch"), pytest.mark.nightly]
SENT = 20
AWAY = re.compile(r"away-\d+")
REPARSE = {
    "source": {"index": f"{NAME}-unparsed*", "query": {"bool": {"must_not": {"exists": {"field": "timestamp"}}}}},
    "dest": {"index": f"{NAME}-parsed-again", "pipeline": NAME},
}


@dataclass(frozen=True)
class Record:
    """Observations during and after the restart."""

    day: str
    """Day on which the trace was stored."""
    services: list[str]
    """Services that another Jaeger finds after the restart."""
    indices: dict[str, dict[str, Any]]
    """Maps the name of an index to OpenSearch's data about it."""
    in_loki: int
    """Lines in Loki while OpenSearch was down."""
    in_loki_at_the_end: int
    """Lines in Loki at the end."""
    found_by_request: set[str]
    """Request ids whose lines the index finds."""


@pytest.fixture(scope="module")
def record(opensearch_node: OpenSearchNode, apply: Apply, tmp_path_factory: pytest.TempPathFactory) -> Record:
    node, folder = opensearch_node, tmp_path_factory.mktemp("restart")
    assert apply(node.url).returncode == 0
    tls = certificate(folder / "tls")
    with front(node.url, tls, USER, PASSWORD) as opensearch:
        with Jaeger(folder / "first", opensearch, tls) as jaeger:
            day = datetime.now(UTC).date()
            store(jaeger.listen)
            eventually(lambda: jaeger.operations() == ["checkout"], what="the trace is not stored")
        node.stop()
        with log_pipeline(folder, endpoint(node)) as pipeline:
            lines = pipeline.sink.lines
            write(pipeline, *(line(f"away-{number}") for number in range(SENT)))
            try:
                eventually(lambda: len(lines) == SENT, seconds=ARRIVES, what="Loki has not all lines")
                in_loki = len(lines)
            finally:
                node.start()
            # Lines may be parsed or unparsed here, and an unparsed line may be there twice.
            eventually(
                lambda: len({number for one in documents(node) for number in AWAY.findall(json.dumps(one))}) == SENT,
                seconds=ARRIVES,
                what="lines did not arrive after the restart",
            )
        with Jaeger(folder / "second", opensearch, tls) as jaeger:
            eventually(lambda: jaeger.operations() == ["checkout"], what="another Jaeger does not find the trace")
            services = jaeger.services()
    # OpenSearch stores lines unparsed until it applies its templates again. docs/operations.md describes this repair.
    httpx.post(f"{node.url}/_reindex?refresh=true", json=REPARSE, timeout=60).raise_for_status()
    seen = Record(
        day=f"{day:%Y-%m-%d}",
        services=services,
        indices={one["index"]: one for one in httpx.get(f"{node.url}/_cat/indices?format=json", timeout=60).json()},
        in_loki=in_loki,
        in_loki_at_the_end=len(lines),
        found_by_request={one["_source"]["request_id"] for one in documents(node) if "request_id" in one["_source"]},
    )
    clean(node)
    return seen


def test_traces_are_in_opensearch_for_every_jaeger(record: Record) -> None:
    assert record.services == ["till"]
    # The policy that deletes old indices relies on these names. An index on a single node is green only without
    # replicas.
    for kind in ("span", "service"):
        assert record.indices[f"observability-jaeger-{kind}-{record.day}"]["health"] == "green"


def test_loki_gets_all_lines_during_the_restart_and_the_index_gets_them_later(record: Record) -> None:
    assert (record.in_loki, record.in_loki_at_the_end) == (SENT, SENT)
    assert record.found_by_request == {f"away-{number}" for number in range(SENT)}
