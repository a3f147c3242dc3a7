"""Stack traces that programs print outside their logger: each is one record, and other lines do not wait."""

import json
from collections.abc import Iterator

import pytest

from tests.collector.pipeline import Pipeline, log_pipeline, write
from tools.programs import eventually

TRACES = {
    "python": """Traceback (most recent call last):
  File "/app/main.py", line 3, in <module>
    work()
  File "/app/main.py", line 2, in work
    raise requests.exceptions.ConnectionError("no route")
requests.exceptions.ConnectionError: no route""",
    "java": """java.lang.IllegalStateException: no stock
\tat shop.Till.sell(Till.java:41)
\tat shop.Till.main(Till.java:12)
Caused by: java.io.IOException: closed
\tat shop.Stock.read(Stock.java:7)
\t... 2 more""",
    "java thread": """Exception in thread "main" java.lang.NullPointerException
\tat shop.Till.main(Till.java:12)""",
    "go": """panic: runtime error: index out of range [3] with length 3

goroutine 1 [running]:
main.sell(...)
\t/app/main.go:8
main.main()
\t/app/main.go:5 +0x1d
exit status 2""",
    "node": """Uncaught TypeError: Cannot read properties of undefined (reading 'price')
    at sell (/app/till.js:3:11)
    at Object.<anonymous> (/app/till.js:7:1)

Node.js v22.11.0""",
}
LINE = json.dumps({"level": "INFO", "message": "before"})
WORDS = ("starting", "listening on :8000", "done (3 items)")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with log_pipeline(tmp_path_factory.mktemp("pipeline")) as pipeline:
        yield pipeline


def test_each_is_one_record(running: Pipeline) -> None:
    for language, trace in TRACES.items():
        file = running.file(pod=f"{language.replace(' ', '-')}-0")
        write(file, LINE, *WORDS, *trace.split("\n"), LINE)
    # Two in a row of Python are two.
    write(running.file(pod="twice-0"), *TRACES["python"].split("\n"), *TRACES["python"].split("\n"))
    wanted = len(TRACES) * (1 + 2 + len(WORDS)) + 2
    eventually(lambda: len(running.sink.lines) >= wanted, seconds=30, what="lines are missing")
    found = {pod: [line.body for line in running.sink.lines if line.resource["pod"] == pod] for pod in _pods(running)}
    assert found.pop("twice-0") == [TRACES["python"]] * 2
    for language, trace in TRACES.items():
        assert sorted(found[f"{language.replace(' ', '-')}-0"]) == sorted([LINE, *WORDS, trace, LINE]), language


def _pods(running: Pipeline) -> set[str]:
    return {line.resource["pod"] for line in running.sink.lines}


def test_a_json_line_above_the_agents_limit_keeps_its_fields(running: Pipeline) -> None:
    running.sink.lines.clear()
    file = running.file(pod="long-0")
    line = json.dumps({"level": "ERROR", "request_id": "r-1", "duration_ms": 12.5, "message": "x" * 1_200_000})
    parts = [line[start : start + 16_384] for start in range(0, len(line), 16_384)]
    write(file, *parts[:-1], tag="P")
    write(file, parts[-1])
    eventually(lambda: len(running.sink.lines) >= 2, seconds=30, what="the line is missing")
    first = min(running.sink.lines, key=lambda one: not one.body.startswith("{"))
    assert first.severity == 17
    assert first.attributes.items() >= {"level": "ERROR", "request_id": "r-1", "duration_ms": "12.5"}.items()
