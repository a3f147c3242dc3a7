"""What Loki does with too many streams, as components/logs/loki_config.py says: those within its limit are stored."""

import json
import time
import urllib.error
from collections.abc import Iterator
from typing import Any

import pytest

from tools.rule_tests.loki_server import LokiServer, loki

LIMIT = 4
MEMORY = LIMIT * 4 * 16 * 1024


def _push(server: LokiServer, *services: str, tenant: str = "limits") -> int:
    """HTTP status of one OTLP request with a line of each service."""
    now = str(time.time_ns())

    def line(service: str) -> dict[str, Any]:
        labels = {"namespace": "shop", "app": "till", "service": service}
        resource = {"attributes": [{"key": key, "value": {"stringValue": value}} for key, value in labels.items()]}
        record = {"timeUnixNano": now, "body": {"stringValue": "hello"}}
        return {"resource": resource, "scopeLogs": [{"logRecords": [record]}]}

    body = json.dumps({"resourceLogs": [line(service) for service in services]}).encode()
    try:
        server.ask("/otlp/v1/logs", tenant, body)
    except urllib.error.HTTPError as error:
        return error.code
    return 200


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LokiServer]:
    with loki(tmp_path_factory.mktemp("small"), memory_bytes=MEMORY) as server:
        yield server


def _stored(server: LokiServer, tenant: str = "limits") -> set[str]:
    found = server.query(tenant, 'count_over_time({namespace="shop"}[1m])', time.time() + 1)
    return {series["metric"]["service"] for series in found}


def test_above_the_limit_a_request_is_refused_and_its_known_streams_are_stored(small: LokiServer) -> None:
    known = [f"known{number}" for number in range(LIMIT)]
    assert _push(small, *known[1:]) == 200
    assert _push(small, known[0], "one", "too-many") == 429
    assert len(_stored(small)) == LIMIT
    assert _push(small, "one-more") == 429
    assert _push(small, *known[1:]) == 200


def test_a_request_may_be_answered_as_stored_although_streams_are_missing_which_are_counted(small: LokiServer) -> None:
    """Only the last stream of a request decides (Push in Loki's pkg/ingester/instance.go). If not, correct the docs."""
    services = [f"one-of-many-{number}" for number in range(3 * LIMIT)]
    # The order is drawn for each request, and a third of the streams is within the limit.
    answers = {_push(small, *services, tenant="many") for _ in range(60)}
    assert answers == {200, 429}
    assert len(_stored(small, "many")) == LIMIT
    page = small.ask("/metrics", "many").decode()
    counted = [row for row in page.splitlines() if "loki_discarded_samples_total{" in row and 'tenant="many"' in row]
    assert any('reason="stream_limit"' in row for row in counted), counted
