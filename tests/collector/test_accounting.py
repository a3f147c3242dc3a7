"""What programs send through real agent, gateway, Loki and Jaeger, and what is found there: the sum is zero.

The stream is mixed: large, long, many attributes, odd names and encodings, old, future, several lines, ANSI, NUL,
invalid UTF-8. Each program is killed or stopped in between.
"""

import itertools
import json
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from components.collector.cuts import CUT
from settings import sizes
from tests.collector.pipeline import Pipeline, log_pipeline, write
from tools.programs import eventually
from tools.rule_tests.loki_server import LokiServer, loki

YEAR = 365 * 86_400 * 10**9
INVALID, IN_PLACE_OF = b"\xff\xfe", "\x01\x02"
"""Bytes that are no UTF-8, and what stands for them where Python insists on text."""
_LINE = re.compile(r"#(\d+) ")


def _attributes(**values: str) -> list[KeyValue]:
    return [KeyValue(key=key, value=AnyValue(string_value=text)) for key, text in values.items()]


def _nested(depth: int) -> AnyValue:
    value = AnyValue(string_value="deep")
    for _ in range(depth):
        inner = AnyValue()
        inner.kvlist_value.values.append(KeyValue(key="", value=value))
        value = inner
    return value


def _records() -> Iterator[tuple[str, bool, LogRecord]]:
    """Kind, whether a store must cut it, and the record without its number."""

    def record(
        text: str = "text", attributes: list[KeyValue] | None = None, at: int | None = None, severity: str = ""
    ) -> LogRecord:
        return LogRecord(
            time_unix_nano=time.time_ns() if at is None else at,
            body=AnyValue(string_value=text),
            attributes=attributes,
            severity_text=severity,
        )

    yield "plain", False, record()
    yield "several lines", False, record("Traceback:\n  File x\n\tat y\r\nValueError")
    yield "ANSI", False, record("\x1b[31mred\x1b[0m")
    yield "NUL", False, record("a\x00b", _attributes(nul="a\x00b"))
    yield "invalid UTF-8", False, record(f"a{IN_PLACE_OF}b", _attributes(invalid=IN_PLACE_OF, **{IN_PLACE_OF: "name"}))
    yield "large", True, record("x" * 2_500_000)
    yield "as large as a request", True, record("x" * (sizes.REQUEST_BYTES - 100_000))
    yield "long attribute", True, record(attributes=_attributes(prompt="p" * 75_000))
    yield "stack trace", False, record(attributes=_attributes(**{"exception.stacktrace": "at x\n" * 15_000}))
    yield "many attributes", True, record(attributes=_attributes(**{f"a{i}": "v" for i in range(140)}))
    yield "many long attributes", True, record(attributes=_attributes(**{f"a{i}": "v" * 9_000 for i in range(140)}))
    yield "long name", True, record(attributes=_attributes(**{"n" * 70_000: "v"}))
    yield "nameless", False, record(attributes=_attributes(**{"": "a", "___": "b", "\u65e5\u672c": "c"}))
    yield "names that become one", False, record(attributes=_attributes(**{"a.b": "1", "a_b": "2", "a-b": "3"}))
    yield "nested", False, record(attributes=[KeyValue(key="deep", value=_nested(50))])
    yield "bytes", True, record(attributes=[KeyValue(key="raw", value=AnyValue(bytes_value=b"\xff" * 70_000))])
    yield "long severity", True, record(severity="S" * 70_000)
    yield "old", False, record(at=time.time_ns() - YEAR)
    yield "of 1970", False, record(at=1)
    yield "future", False, record(at=time.time_ns() + YEAR)
    yield "of no time", False, record(at=0)
    yield "beyond all time", False, record(at=2**64 - 1)


@dataclass
class Account:
    """What a program sent, and what became of it."""

    sent: Counter[str] = field(default_factory=Counter)
    must_be_cut: set[int] = field(default_factory=set[int])
    numbers: Iterator[int] = field(default_factory=itertools.count)
    kinds: dict[int, str] = field(default_factory=dict[int, str])
    refused: int = 0
    """Records in requests that the agent refused for good."""

    def number(self, kind: str, *, cut: bool = False) -> int:
        """Number of one more record."""
        number = next(self.numbers)
        self.kinds[number] = kind
        self.sent[kind] += 1
        if cut:
            self.must_be_cut.add(number)
        return number

    def post(self, url: str, body: bytes, records: int) -> None:
        """As an SDK does: again until it is accepted, or refused for good."""

        def answered() -> bool:
            answer = httpx.post(url, content=body, headers={"Content-Type": "application/x-protobuf"}, timeout=60)
            if answer.status_code in {400, 413}:
                self.refused += records
                return True
            return answer.is_success

        eventually(answered, seconds=60, what="no agent takes it")

    def mixed(self, pipeline: Pipeline) -> None:
        """Each odd record between two plain ones, in a request of its own, and all small ones in one."""
        small: list[LogRecord] = []
        for kind, cut, record in _records():
            around = [LogRecord(time_unix_nano=time.time_ns(), body=AnyValue(string_value="")) for _ in range(2)]
            group = [around[0], record, around[1]]
            for one, name in zip(group, ("neighbour", kind, "neighbour"), strict=True):
                number = self.number(name, cut=cut and one is record)
                one.body.string_value = f"#{number} {one.body.string_value}"
            if record.ByteSize() < 20_000:
                small += group
            else:
                self._send(pipeline, group)
        self._send(pipeline, small)

    def _send(self, pipeline: Pipeline, records: list[LogRecord]) -> None:
        request = ExportLogsServiceRequest()
        scope = request.resource_logs.add().scope_logs.add()
        scope.scope.name = "s" * 70_000
        scope.log_records.extend(records)
        body = request.SerializeToString().replace(IN_PLACE_OF.encode(), INVALID)
        self.post(f"{pipeline.otlp}/v1/logs", body, len(records))

    def too_large(self, pipeline: Pipeline) -> None:
        """A request that the agent must refuse."""
        text = f"#{self.number('too large')} " + "x" * sizes.REQUEST_BYTES
        self._send(pipeline, [LogRecord(time_unix_nano=time.time_ns(), body=AnyValue(string_value=text))])

    def files(self, pipeline: Pipeline, pod: str) -> None:
        """Lines of a container."""
        file = pipeline.file(pod=pod)
        texts = {
            "plain line": "text",
            "ANSI line": "\x1b[1mbold",
            "JSON line": json.dumps({"level": "ERROR", "message": "m", "operation": "O" * 70_000}),
            "odd JSON line": json.dumps({"level": {"a": 1}, "operation": ["x"] * 50, "duration_ms": None}),
            "long line": "x" * 300_000,
        }
        for kind, text in texts.items():
            number = self.number(kind, cut=kind in {"long line", "JSON line"})
            # A JSON line has its number in a field that all keep.
            line = f'{{"n": "#{number} ", {text[1:]}' if text.startswith("{") else f"#{number} {text}"
            write(file, line)
        number = self.number("invalid line")
        with file.open("ab") as log:
            log.write(f"{_now()} stdout F #{number} ".encode() + INVALID + b"\x00\n")


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000000001Z", time.gmtime())


def _stored(server: LokiServer) -> dict[int, dict[str, str]]:
    """Number of each line that Loki has -> what is beside it, with the line."""
    found: dict[int, dict[str, str]] = {}
    start, end = time.time_ns() - 3600 * 10**9, time.time_ns() + 3600 * 10**9
    parameters = {"query": '{service=~".+"}', "start": start, "end": end, "limit": 5000, "direction": "forward"}
    answer = httpx.get(f"{server.url}/loki/api/v1/query_range", params=parameters, timeout=60).raise_for_status()
    for stream in answer.json()["data"]["result"]:
        for value in stream["values"]:
            if match := _LINE.search(value[1][:100]):
                found[int(match[1])] = {**stream["stream"], "line": value[1]}
    return found


def _is_cut(fields: dict[str, str]) -> bool:
    # The name of the scope is cut in all records of programs.
    texts = [text for name, text in fields.items() if name != "scope_name"]
    return "dropped_attributes_count" in fields or any(text.endswith(CUT) for text in texts)


def _lost(*ports: int) -> float:
    """Lines and spans that collectors say they lost."""
    counters = re.compile(r"^otelcol_(exporter_(send|enqueue)_failed|receiver_refused)_\w+\{.*\} ([0-9.e+]+)$", re.M)
    texts = [httpx.get(f"http://127.0.0.1:{port}/metrics").text for port in ports]
    return sum(float(match[3]) for text in texts for match in counters.finditer(text))


def _requests_refused(port: int) -> float:
    """Requests that a collector says it refused as too large."""
    text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    refused = re.findall(r'^otelcol_receiver_http_requests_count\{.*="400"\} ([0-9.e+]+)$', text, re.M)
    return sum(map(float, refused))


def _refused_by(server: LokiServer) -> float:
    text = httpx.get(f"{server.url}/metrics").text
    return sum(float(value) for value in re.findall(r"^loki_discarded_samples_total\{.*\} ([0-9.e+]+)$", text, re.M))


def test_what_is_sent_is_stored_cut_refused_or_dropped(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    account = Account()
    with (
        loki(tmp_path / "loki", any_age=False) as store,
        log_pipeline(tmp_path / "collectors", loki=f"{store.url}/otlp") as pipeline,
    ):
        account.mixed(pipeline)
        account.files(pipeline, "till-0")
        pipeline.agent.end(signal.SIGKILL)
        account.files(pipeline, "till-1")
        pipeline.agent.start()
        account.mixed(pipeline)
        pipeline.gateway.end(signal.SIGKILL)
        account.mixed(pipeline)
        pipeline.gateway.start()
        account.too_large(pipeline)
        store.server.end(signal.SIGTERM)
        account.mixed(pipeline)
        account.files(pipeline, "till-0")
        pipeline.gateway.end(signal.SIGTERM)
        pipeline.gateway.start()
        store.server.start()
        sent = account.sent.total()
        with suppress(pytest.fail.Exception):  # the assertion on what is missing says more
            eventually(lambda: len(_stored(store)) >= sent - account.refused, what="records are missing")
        stored = _stored(store)
        # The request that is too large holds one record, and comes after the last restart of the agent.
        counted = _requests_refused(pipeline.agent_metrics)
        dropped, refused = _lost(pipeline.metrics, pipeline.agent_metrics), _refused_by(store)
        said = [program.log for program in (pipeline.agent, pipeline.gateway)]
    cut = {number for number, fields in stored.items() if _is_cut(fields)}
    figures = {
        "sent": sent,
        "stored whole": len(stored) - len(cut),
        "cut": len(cut),
        "refused": account.refused,
        "dropped": int(dropped + refused),
    }
    for name, figure in figures.items():
        record_property(name, figure)
    missing = Counter(kind for number, kind in account.kinds.items() if number not in stored)
    assert missing == Counter({"too large": 1})
    assert (account.refused, counted, dropped, refused) == (1, 1, 0, 0)
    assert cut == account.must_be_cut, Counter(account.kinds[number] for number in cut ^ account.must_be_cut)
    assert figures["sent"] == sum(figures.values()) - figures["sent"]
    assert not [log for log in said if "OTTL" in log or "Failed to split" in log]
