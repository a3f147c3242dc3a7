"""What becomes of lines while Loki has as many streams as it takes: they wait in the gateway, and none is lost."""

import re
import time
from pathlib import Path

import httpx

from tests.collector.pipeline import log_pipeline, write
from tools.programs import eventually
from tools.rule_tests.loki_server import LokiServer, loki

LIMIT, NAMESPACES, LINES = 3, 6, 5


def _refused(server: LokiServer) -> int:
    """Requests that Loki answered with 429."""
    page = httpx.get(f"{server.url}/metrics").text
    rows = re.findall(r'^loki_request_duration_seconds_count\{.*otlp.*status_code="429".*\} (\d+)$', page, re.MULTILINE)
    return sum(map(int, rows))


def _stored(server: LokiServer) -> dict[str, int]:
    found = server.query("", 'sum by (namespace) (count_over_time({namespace=~".+"}[10m]))', time.time() + 1)
    return {one["metric"]["namespace"]: int(one["value"][1]) for one in found}


def test_lines_above_the_limit_of_streams_wait_until_there_is_room(tmp_path: Path) -> None:
    folder = tmp_path / "loki"
    with (
        loki(folder, any_age=False, limits={"max_global_streams_per_user": LIMIT}) as server,
        log_pipeline(tmp_path / "pipeline", loki=f"{server.url}/otlp") as pipeline,
    ):
        for number in range(NAMESPACES):
            write(pipeline.file(namespace=f"n{number}"), *(f"line {number}.{line}" for line in range(LINES)))
        # More often than there can be requests, so it is tried again.
        eventually(lambda: _refused(server) > NAMESPACES, what="the request is not tried again")
        assert len(_stored(server)) == LIMIT
        config = folder / "loki.yaml"
        text = config.read_text()
        assert text.count(f"max_global_streams_per_user: {LIMIT}") == 1
        config.write_text(text.replace(f"streams_per_user: {LIMIT}", f"streams_per_user: {NAMESPACES}"))
        server.server.end()
        server.server.start()
        wanted = {f"n{number}": LINES for number in range(NAMESPACES)}
        eventually(lambda: _stored(server) == wanted, what="not every line arrives once")
