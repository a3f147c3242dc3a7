"""What Loki acknowledged is there after it was killed: it is in the write-ahead log on the volume."""

import time
from pathlib import Path

from tools.rule_tests.loki_server import loki

LINES = 2000


def test_a_killed_loki_loses_no_line(tmp_path: Path) -> None:
    now = time.time_ns()
    stream = {"namespace": "speccursor", "app": "speccursor", "service": "controller"}
    with loki(tmp_path) as server:
        server.push("shop", stream, ((now - (LINES - i) * 10**6, f"line {i}", {"level": "INFO"}) for i in range(LINES)))
    # Leaving the context kills the program without a word.
    with loki(tmp_path) as server:
        expression = 'sum by (level) (count_over_time({namespace="speccursor"}[10m]))'
        (series,) = server.query("shop", expression, time.time() + 1)
        assert (series["metric"], series["value"][1]) == ({"level": "INFO"}, str(LINES))
