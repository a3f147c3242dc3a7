"""A real agent and gateway turn lines of a pod's log file into documents in a real OpenSearch."""

import json
import re
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from components.logs.log_index import NAME
from tests.backends.opensearch import OpenSearchNode
from tests.collector.pipeline import Pipeline, log_pipeline
from tests.log_index.conftest import Apply
from tools.programs import eventually

pytestmark = pytest.mark.xdist_group("opensearch")

ARRIVES = 120.0
"""Seconds until a line must arrive, with a margin for a busy machine."""


def endpoint(node: OpenSearchNode) -> str:
    return f"{node.url}/{NAME}-unparsed/_doc?op_type=index"


def documents(node: OpenSearchNode, **terms: str) -> list[dict[str, Any]]:
    """Documents of the index whose fields have exactly these values."""
    httpx.post(f"{node.url}/{NAME}-*/_refresh", timeout=60)
    query = {"bool": {"filter": [{"term": {field: value}} for field, value in terms.items()]}}
    answer = httpx.post(f"{node.url}/{NAME}-*/_search", json={"query": query, "size": 1000}, timeout=60).json()
    return answer["hits"]["hits"]


def write(pipeline: Pipeline, *lines: str, pod: str = "till-0") -> None:
    """Appends lines in containerd's format, with the current time."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000000001Z", time.gmtime())
    with pipeline.file(pod=pod).open("a") as log:
        log.write("".join(f"{stamp} stdout F {line}\n" for line in lines))


def line(request: str, **fields: object) -> str:
    return json.dumps({"message": "hello", "request_id": request, **fields})


def one(node: OpenSearchNode, request: str) -> dict[str, Any]:
    (found,) = eventually(
        lambda: documents(node, request_id=request), seconds=ARRIVES, what=f"{request} is not in the index"
    )
    return found


def test_a_request_is_found_by_its_id_with_fields_of_the_right_types(
    applied: OpenSearchNode, apply: Apply, tmp_path: Path
) -> None:
    assert apply(applied.url).returncode == 0
    fields = {f"field{number}": {"deep": {"deeper": number}} for number in range(200)}
    trace = "0af7651916cd43dd8448eb211c80319c"
    with log_pipeline(tmp_path, endpoint(applied)) as pipeline:
        write(
            pipeline,
            line("r-1", service="checkout", project_id="atlas", level="ERROR", trace_id=trace, duration_ms=12.5),
            line("r-2", service="checkout", project_id=7, duration_ms="long", message={"not": "a text"}),
            line("r-3", service="x" * 400, **fields),
            json.dumps({"message": "of no request"}),
            "plain text",
        )
        first, second, third = (one(applied, name) for name in ("r-1", "r-2", "r-3"))
        eventually(lambda: len(pipeline.sink.lines) == 5, seconds=ARRIVES, what="Loki has not all lines")
        (found,) = documents(applied, service="checkout", project_id="atlas")
        gateway_log = (pipeline.gateway.folder / "log").read_text()
    assert found["_id"] == first["_id"]
    source = first["_source"]
    assert (source["message"], source["level"], source["trace_id"]) == ("hello", "error", trace)
    assert (source["namespace"], source["pod"], source["container"]) == ("shop", "till-0", "till")
    assert json.loads(source["line"])["duration_ms"] == 12.5
    assert first["_index"] == f"{NAME}-{time.strftime('%Y.%m.%d', time.gmtime())}"
    assert source["timestamp"].startswith(time.strftime("%Y-%m-%d", time.gmtime()))
    assert second["_source"]["message"] == second["_source"]["line"]
    assert third["_source"]["message"] == "hello"
    # The index has only the fields of the template, whatever fields the lines have.
    (mapping,) = {
        json.dumps(index["mappings"]["properties"], sort_keys=True)
        for index in httpx.get(f"{applied.url}/{NAME}-*/_mapping", timeout=60).json().values()
    }
    types = {name: field["type"] for name, field in json.loads(mapping).items()}
    assert (types["request_id"], types["service"], types["project_id"]) == ("keyword",) * 3
    assert types["timestamp"] == "date"
    assert len(types) < 30
    assert len(documents(applied)) == 3
    assert "Exporting failed" not in gateway_log


def test_a_full_queue_drops_lines_for_the_index_but_not_for_loki(tmp_path: Path) -> None:
    unreachable, count = "http://127.0.0.1:9/nobody", 16_000
    with log_pipeline(tmp_path, unreachable, storage_bytes=24 * 2**20) as pipeline:
        write(pipeline, *(line(f"full-{number}", pad="x" * 400) for number in range(count)))
        eventually(lambda: len(pipeline.sink.lines) >= count, seconds=ARRIVES, what="Loki waits for the index")
        metrics = f"http://127.0.0.1:{pipeline.metrics}/metrics"
        eventually(lambda: _dropped(httpx.get(metrics).text) > 0, seconds=ARRIVES, what="nothing is counted as dropped")
        assert len(pipeline.sink.lines) == count


def _dropped(page: str) -> float:
    found = re.findall(r"^otelcol_exporter_enqueue_failed_log_records{[^}]*log_index[^}]*} (\S+)", page, re.MULTILINE)
    return sum(map(float, found))


def record(body: str, nanos: int, **attributes: str) -> dict[str, Any]:
    """One line in the form in which the gateway sends it."""
    pairs = [{"key": name, "value": {"stringValue": value}} for name, value in attributes.items()]
    line = {"timeUnixNano": str(nanos), "body": {"stringValue": body}, "attributes": pairs}
    return {"resourceLogs": [{"resource": {}, "scopeLogs": [{"scope": {}, "logRecords": [line]}]}]}


@pytest.fixture
def applied(empty: OpenSearchNode, apply: Apply) -> OpenSearchNode:
    assert apply(empty.url).returncode == 0
    return empty


def send(node: OpenSearchNode, body: object) -> None:
    httpx.post(endpoint(node), json=body, timeout=60).raise_for_status()


def test_a_second_delivery_replaces_the_first(applied: OpenSearchNode) -> None:
    now = time.time_ns()
    for nanos in (now, now, now + 1):
        send(applied, record("hello", nanos, request_id="twice"))
    assert len(documents(applied, request_id="twice")) == 2


def test_the_time_of_a_wrong_clock_is_kept(applied: OpenSearchNode) -> None:
    """The gateways have replaced it, see log_limits."""
    send(applied, record("hello", time.time_ns(), request_id="clock", claimed_timestamp="1970-01-01T00:00:00.000Z"))
    (found,) = documents(applied, request_id="clock")
    assert found["_index"] == f"{NAME}-{time.strftime('%Y.%m.%d', time.gmtime())}"
    assert found["_source"]["claimed_timestamp"] == "1970-01-01T00:00:00.000Z"


def test_a_document_that_the_pipeline_cannot_parse_is_stored_with_the_reason(applied: OpenSearchNode) -> None:
    send(applied, {"resourceLogs": []})
    (found,) = documents(applied)
    assert found["_index"] == f"{NAME}-unparsed"
    assert found["_source"]["pipeline_error"].startswith("script: ")
