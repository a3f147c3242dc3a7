"""SpecCursor's upgrade runs: traces over five services, log lines, exemplars, faults, and traces sent on request."""

import random
from collections import Counter, defaultdict
from typing import Any

import pytest
from fastapi import FastAPI
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from simulator.engine import jobs
from simulator.engine.app import create_app
from simulator.engine.faults import Switchboard
from simulator.engine.runs import RunEmitter
from simulator.engine.tracing import Tracing
from simulator.engine.workload import Workload
from simulator.receiver.sent_traces import add_sender
from simulator.systems.speccursor import FAULTS, SERVICES, Upgrades
from simulator.systems.speccursor_metrics import HEALTHY, METRICS
from tests.simulator.client import Client
from tests.simulator.lines import captured

OPEN_METRICS = {"Accept": "application/openmetrics-text;version=1.0.0"}


class Pod:
    """A pod without a port. Its traces stay in memory."""

    def __init__(self, *, seed: int = 1) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracing = Tracing(self.exporter)
        workload = Workload(METRICS, HEALTHY)
        self.switches = Switchboard(workload, FAULTS)
        rng = random.Random(seed)  # noqa: S311 - a seed, so that a test repeats
        self.upgrades = Upgrades(self.tracing, self.switches, workload, rng=rng)
        self.app: FastAPI = create_app(workload, self.switches)
        add_sender(self.app, self.upgrades)
        self.client = Client(self.app)

    def runs(self, count: int) -> list[dict[str, Any]]:
        """The log lines of so many runs."""
        with captured() as lines:
            for _ in range(count):
                self.upgrades.run()
        return lines.read()

    def spans(self) -> list[ReadableSpan]:
        """All spans that the pod has sent. It sends none after this call."""
        self.tracing.shutdown()
        return list(self.exporter.get_finished_spans())


def by_trace(spans: list[ReadableSpan]) -> dict[str, list[ReadableSpan]]:
    found: dict[str, list[ReadableSpan]] = defaultdict(list)
    for span in spans:
        assert span.context
        found[f"{span.context.trace_id:032x}"].append(span)
    return found


def service(span: ReadableSpan) -> str:
    return str(span.resource.attributes["service.name"])


def test_a_run_is_one_trace_over_five_services() -> None:
    pod = Pod()
    lines = pod.runs(1)
    (spans,) = by_trace(pod.spans()).values()

    assert {service(span) for span in spans} == set(SERVICES)
    ids = {span.context.span_id: span for span in spans if span.context}
    (root,) = [span for span in spans if span.parent is None]
    assert (service(root), root.name) == ("github-app", "webhook.receive")
    for span in spans:
        assert span.attributes
        assert span.attributes["operation"] == span.name
        if span.parent:
            parent = ids[span.parent.span_id]
            times = [parent.start_time or 0, span.start_time or 0, span.end_time or 0, parent.end_time or 0]
            assert times == sorted(times)
            assert all(times)
    assert {line["service"] for line in lines} == set(SERVICES)
    assert len({line["correlation_id"] for line in lines}) == 1
    for line in lines:
        span = ids[int(line["span_id"], 16)]
        assert (service(span), span.name) == (line["service"], line["operation"])
        assert span.attributes
        assert span.attributes["correlation_id"] == line["correlation_id"]
        assert line["duration_ms"] > 0


def test_exemplars_name_the_trace() -> None:
    pod = Pod()
    (trace_id,) = {line["trace_id"] for line in pod.runs(1)}
    text = pod.client.get("/metrics", headers=OPEN_METRICS).text

    exemplars = [line for line in text.splitlines() if f'trace_id="{trace_id}"' in line]
    assert len(exemplars) == len(SERVICES)
    assert all(line.startswith("http_request_duration_seconds_bucket") for line in exemplars)
    assert "# {" not in pod.client.get("/metrics").text  # the plain format has no exemplars


def test_few_runs_fail_by_themselves() -> None:
    levels = Counter(line["level"] for line in Pod().runs(1000))
    assert 0 < levels["ERROR"] < 60


def test_failing_runs_have_an_error_from_the_step_up_to_the_root() -> None:
    pod = Pod()
    assert pod.client.put("/faults/trace-errors", params={"amount": 1}).status_code == 200
    lines = pod.runs(20)
    pod.client.delete("/faults/trace-errors")
    healthy = pod.runs(20)

    for spans in list(by_trace(pod.spans()).values())[:20]:
        (root,) = [span for span in spans if span.parent is None]
        assert root.status.status_code is StatusCode.ERROR
    assert sum(line["level"] == "ERROR" and line["service"] == "github-app" for line in lines) == 20
    assert sum(line["level"] == "ERROR" for line in healthy) < 5


def test_error_lines_come_at_the_requested_rate() -> None:
    pod = Pod()
    pod.client.put("/faults/SpecCursorErrorLogAnomalous", params={"amount": 60})
    for _ in range(2):  # idempotent
        pod.client.put("/faults/error-logs", params={"amount": 90, "instance": "controller"})
    pod.client.put("/faults/SpecCursorErrorLogBurst")
    lines = [line for line in pod.runs(60) if line["message"] == "request refused, trying again"]

    assert Counter(line["service"] for line in lines) == {"controller": 90, "ai-service": 30, "rust-worker": 60}
    assert all(line["level"] == "ERROR" and line["trace_id"] and line["correlation_id"] for line in lines)
    pod.client.delete("/faults/error-logs", params={"instance": "controller"})
    pod.client.delete("/faults/error-logs")
    pod.client.delete("/faults/SpecCursorErrorLogAnomalous")
    assert not [line for line in pod.runs(60) if line["message"] == "request refused, trying again"]


def test_slow_runs_are_slow_in_span_and_metric() -> None:
    pod = Pod()
    pod.client.put("/faults/slow", params={"amount": 20})
    pod.client.put("/faults/SpecCursorOperationSlow")
    lines = pod.runs(3)
    pod.client.delete("/faults/slow")
    pod.client.delete("/faults/SpecCursorOperationSlow")

    slow = {line["service"] for line in lines if line["duration_ms"] > 65_000}
    assert slow == {"github-app", "controller", "ai-service"}
    assert all(line["duration_ms"] < 30_000 for line in pod.runs(3))


@pytest.mark.parametrize(
    ("fault", "parameters", "allowed"),
    [
        ("error-logs", {"amount": 0}, "1 to 600 lines a minute"),
        ("error-logs", {"instance": "nobody"}, "github-app, controller"),
        ("trace-errors", {"amount": 1.5}, "0 to 1 of all runs"),
        ("trace-errors", {"instance": "controller"}, "no instances"),
        ("slow", {"amount": "nan"}, "0.1 to 110 seconds"),
    ],
)
def test_a_wrong_amount_is_refused(fault: str, parameters: dict[str, Any], allowed: str) -> None:
    client = Pod().client
    answer = client.put(f"/faults/{fault}", params=parameters)

    assert answer.status_code == 422
    assert allowed in answer.json()["detail"]
    assert all(not one["active"] for one in client.get("/faults").json())


def test_the_requested_number_of_traces_is_sent() -> None:
    pod = Pod()
    pod.client.put("/faults/trace-errors", params={"amount": 1})  # must not matter
    answer = pod.client.post("/traces", json={"count": 250, "errors": 13}).json()
    traces = by_trace(list(pod.exporter.get_finished_spans()))

    assert len(answer["traces"]) == len(traces) == 250
    assert sum(one["error"] for one in answer["traces"]) == 13
    assert answer["spans"] == sum(one["spans"] for one in answer["traces"])
    for one in answer["traces"]:
        spans = traces[one["trace_id"]]
        assert len(spans) == one["spans"]
        assert any(span.status.status_code is StatusCode.ERROR for span in spans) is one["error"]


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ({"count": 5001}, "5000"),
        ({"count": 0}, "1"),
        ({"count": 10, "errors": 11}, "0 to count, which is 10"),
        ({"count": 10, "errors": -1}, "0"),
        ({"count": 10, "error": 1}, "Extra"),
        ({"count": "many"}, "integer"),
    ],
)
def test_a_wrong_number_of_traces_is_refused(wanted: dict[str, Any], reason: str) -> None:
    pod = Pod()
    answer = pod.client.post("/traces", json=wanted)

    assert answer.status_code == 422
    assert reason in answer.json()["detail"][0]["msg"]
    assert not pod.spans()


def test_requested_traces_without_a_collector_are_refused() -> None:
    workload = Workload(METRICS, HEALTHY)
    switches = Switchboard(workload, FAULTS)
    upgrades = Upgrades(Tracing(), switches, workload)
    app = create_app(workload, switches)
    add_sender(app, upgrades)
    answer = Client(app).post("/traces", json={"count": 1})

    assert answer.status_code == 503
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in answer.json()["detail"]


def test_a_job_is_one_trace_from_server_to_worker() -> None:
    exporter = InMemorySpanExporter()
    tracing = Tracing(exporter)
    with captured() as lines:
        RunEmitter(tracing, jobs.plan, rng=random.Random(1)).run()  # noqa: S311 - a seed, so that a test repeats
    tracing.shutdown()

    assert {service(span) for span in exporter.get_finished_spans()} == {"jq-server", "jq-worker"}
    assert [line["service"] for line in lines.read()] == ["jq-server", "jq-worker"]
    assert len({line["trace_id"] for line in lines.read()}) == 1
