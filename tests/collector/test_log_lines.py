"""Log files of pods as the container runtime writes them, through a real agent and gateway: what Loki gets."""

import json
import time
from collections.abc import Iterator

import httpx
import pytest

from components.collector.services import DECLARED
from tests.collector.pipeline import Pipeline, log_pipeline, write
from tests.collector.processes import Line
from tools.programs import eventually

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PLAIN = "  plain text, with spaces around  "
BROKEN = '{"level": "ERROR", "message": "cut of'
LONG = "x" * 20_000


def _json(**fields: object) -> str:
    return json.dumps({"timestamp": "2026-11-21T12:00:00Z", "message": "hello", **fields})


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with log_pipeline(tmp_path_factory.mktemp("pipeline")) as pipeline:
        yield pipeline


@pytest.fixture
def pipeline(running: Pipeline) -> Pipeline:
    """One for all tests, with nothing in its sink. Each test writes as a pod of its own."""
    running.sink.lines.clear()
    running.sink.refused = 0
    running.sink.status = 200
    return running


def test_lines_arrive_as_they_were_written_with_their_fields_beside_them(pipeline: Pipeline) -> None:
    full = _json(
        level="ERROR",
        service="controller",
        trace_id=TRACE,
        span_id=SPAN,
        correlation_id="c-1",
        request_id="r-1",
        project_id=12345678901234567,
        operation="upgrade",
        duration_ms=12.5,
        customer="stays in the line",
    )
    lines = {
        "full": full,
        "plain": PLAIN,
        "broken": BROKEN,
        "other_ids": _json(level="warning", trace_id="1234", span_id=SPAN.upper()),
        "odd": _json(level=30, service=["x"], trace_id=7),
        "list": '["level", "ERROR"]',
    }
    write(pipeline.file(), *lines.values())
    file = pipeline.file(name="1.log")
    for part in (LONG[:16_000] + " ", "{not json} "):
        write(file, part, tag="P")
    write(file, "end")
    write(pipeline.file("agents", "otel-agent-x7k2p", "otel-agent"), "about itself")
    write(pipeline.file(name="0.log.20261121-120000"), "rotated")
    pipeline.file(name="0.log.20261121-110000.gz").write_bytes(b"compressed\n")
    wanted = len(lines) + 2
    eventually(lambda: len(pipeline.sink.lines) >= wanted, seconds=40, what="lines are missing")
    # What must not come would come by the time this does.
    write(pipeline.file(pod="till-1"), "last")
    eventually(lambda: "last" in pipeline.sink.bodies(), seconds=40, what="the last line is missing")
    got = {line.body: line for line in pipeline.sink.lines}
    assert len(pipeline.sink.lines) == len(got) == wanted + 1
    said = [program.log for program in (pipeline.agent, pipeline.gateway)]

    assert not [log for log in said if "OTTL" in log or "deprecated" in log]
    assert set(got) == {*lines.values(), LONG[:16_000] + " {not json} end", "rotated", "last"}
    line = got[full]
    where = {"namespace": "shop", "app": "till", "pod": "till-0", "container": "till"}
    assert line.resource == {**where, "service": "controller"}
    assert line.attributes == {
        "level": "ERROR",
        "correlation_id": "c-1",
        "request_id": "r-1",
        "project_id": "12345678901234567",
        "operation": "upgrade",
        "duration_ms": "12.5",
    }
    assert (line.trace_id, line.span_id, line.severity) == (TRACE, SPAN, 17)
    for name in ("plain", "list"):
        assert _bare(got[lines[name]], {**where, "service": "till"}), name
    assert (got[lines["broken"]].attributes, got[lines["broken"]].severity) == ({"level": "ERROR"}, 17)
    other = got[lines["other_ids"]]
    assert other.resource["service"] == "till"
    assert other.attributes == {"level": "warning", "trace_id": "1234"}
    assert (other.trace_id, other.span_id, other.severity) == ("", SPAN, 13)
    odd = got[lines["odd"]]
    assert odd.resource["service"] == "till"
    assert odd.attributes == {"level": "30", "trace_id": "7"}


def _bare(line: Line, resource: dict[str, str]) -> bool:
    return (line.resource, line.attributes, line.trace_id, line.severity) == (resource, {}, "", 0)


NAMED = ("controller", "shop.orders_v2", "checkout", "till")
UNNAMED = (
    "ai-service",
    "shop-orders_v2",
    "0af76519-16cd-43dd-8448-eb211c80319c",
    "job-0af7651916",
    "run-12-34-56-78",
    "user17a3b9k2m5x8q1z",
    "10.0.0.12",
    "Ab9xQ",
    "s" * 64,
    "a b\n" * 20,
)


def test_only_a_service_that_somebody_wrote_down_names_a_stream(pipeline: Pipeline) -> None:
    """One pod that named 9,000 services used up the streams of all others."""
    lines = {service: _json(service=service) for service in (*NAMED, *UNNAMED)}
    write(pipeline.file(pod="till-2"), *lines.values())
    foreign = _json(service="controller", of="a service of another namespace")
    write(pipeline.file(namespace="mart", pod="till-2"), foreign)
    eventually(lambda: len(pipeline.sink.lines) > len(lines), seconds=40, what="lines are missing")
    got = {line.body: line.resource for line in pipeline.sink.lines}
    where = {"namespace": "shop", "app": "till", "pod": "till-2", "container": "till"}
    for service in NAMED:
        assert got[lines[service]] == {**where, "service": service}
    for service in UNNAMED:
        assert got[lines[service]] == {**where, "service": "till", "service_name": service}
    assert got[foreign] == {**where, "namespace": "mart", "service": "till", "service_name": "controller"}


MANY = ",".join(f"s{number}" for number in range(17))


@pytest.mark.parametrize(
    ("declared", "service", "label"),
    [
        ("refunds,e.u", "refunds", "refunds"),
        ("refunds,e.u", "e.u", "e.u"),
        ("refunds,e.u", "e-u", "till"),
        ("refunds,e.u", "e", "till"),
        ("refunds, e.u", "refunds", "till"),
        (MANY, "s1", "till"),
        ("", "refunds", "till"),
    ],
)
def test_an_annotation_declares_a_few_services(pipeline: Pipeline, declared: str, service: str, label: str) -> None:
    of_the_agent = {"app": "till", DECLARED: declared, "service.name": service}
    attributes = [{"key": key, "value": {"stringValue": value}} for key, value in of_the_agent.items()]
    record = {"timeUnixNano": str(time.time_ns()), "body": {"stringValue": "hello"}}
    request = {"resourceLogs": [{"resource": {"attributes": attributes}, "scopeLogs": [{"logRecords": [record]}]}]}
    httpx.post(f"{pipeline.gateway_otlp}/v1/logs", json=request, timeout=30).raise_for_status()
    eventually(lambda: pipeline.sink.lines, seconds=40, what="the line is missing")
    (line,) = pipeline.sink.lines
    assert (line.resource["service"], line.resource.get("service_name", service)) == (label, service)
    assert not line.resource.keys() - {"app", "service", "service_name"}


CLAIMS = (
    "k8s.pod.uid",
    "k8s.namespace.name",
    "namespace",
    "app",
    "service",
    "service_name",
    "pod",
    "container",
    "node",
    DECLARED,
)


@pytest.mark.parametrize(("service", "label"), [("checkout", "checkout"), ("0af76519-16cd-43dd", None), (7, None)])
def test_a_program_says_its_service_and_nothing_else_of_itself(
    pipeline: Pipeline, service: str | int, label: str | None
) -> None:
    value = {"stringValue": service} if isinstance(service, str) else {"intValue": service}
    claims = [{"key": key, "value": {"stringValue": "of-another"}} for key in CLAIMS]
    record = {"timeUnixNano": str(time.time_ns()), "body": {"stringValue": "hello"}, "attributes": claims}
    resource = {"attributes": [{"key": "service.name", "value": value}, *claims]}
    scope = {"name": "logger", "attributes": claims}
    request = {"resourceLogs": [{"resource": resource, "scopeLogs": [{"scope": scope, "logRecords": [record]}]}]}
    httpx.post(f"{pipeline.otlp}/v1/logs", json=request, timeout=30).raise_for_status()
    eventually(lambda: pipeline.sink.lines, seconds=40, what="the line is missing")
    (line,) = pipeline.sink.lines
    assert line.resource == ({"service": label} if label else {"service": "unknown", "service_name": service})
    # Loki would show these in place of what the agent says.
    assert line.attributes == {f"claimed_{claim}": "of-another" for claim in CLAIMS}


def test_a_line_that_loki_refuses_for_good_is_dropped_and_the_next_ones_arrive(pipeline: Pipeline) -> None:
    pipeline.sink.status = 400
    write(pipeline.file(pod="till-3"), "too old")
    eventually(lambda: pipeline.sink.refused == 1, seconds=30, what="the line is not tried")
    pipeline.sink.status = 200
    write(pipeline.file(pod="till-3"), "fresh")
    eventually(lambda: pipeline.sink.bodies() == ["fresh"], seconds=30, what="the next line is missing")
    assert pipeline.sink.refused == 1
