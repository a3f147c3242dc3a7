"""What Loki does with too many streams, as components/logs/loki_config.py says: those within its limit are stored."""

import json
import time
import urllib.error
from pathlib import Path
from typing import Any

import pytest

from tools.rule_tests.loki_server import LokiServer, loki

LIMIT = 4
MEMORY = LIMIT * 4 * 16 * 1024


def _push(server: LokiServer, *services: str) -> int:
    """HTTP status of one OTLP request with a line of each service."""
    now = str(time.time_ns())

    def line(service: str) -> dict[str, Any]:
        labels = {"namespace": "shop", "app": "till", "service": service}
        resource = {"attributes": [{"key": key, "value": {"stringValue": value}} for key, value in labels.items()]}
        record = {"timeUnixNano": now, "body": {"stringValue": "hello"}}
        return {"resource": resource, "scopeLogs": [{"logRecords": [record]}]}

    body = json.dumps({"resourceLogs": [line(service) for service in services]}).encode()
    try:
        server.ask("/otlp/v1/logs", "limits", body)
    except urllib.error.HTTPError as error:
        return error.code
    return 200


@pytest.fixture
def small(tmp_path: Path) -> Any:
    with loki(tmp_path, memory_bytes=MEMORY) as server:
        yield server


def _stored(server: LokiServer) -> set[str]:
    found = server.query("limits", 'count_over_time({namespace="shop"}[1m])', time.time() + 1)
    return {series["metric"]["service"] for series in found}


def test_above_the_limit_a_request_is_refused_and_its_known_streams_are_stored(small: LokiServer) -> None:
    known = [f"known{number}" for number in range(LIMIT)]
    assert _push(small, *known[1:]) == 200
    assert _push(small, known[0], "one", "too-many") == 429
    assert len(_stored(small)) == LIMIT
    assert _push(small, "one-more") == 429
    assert _push(small, *known[1:]) == 200
