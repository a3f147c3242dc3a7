"""The simulated API: each request has an id, a trace, metrics with an exemplar and a log line, which all agree."""

import asyncio
import random
import uuid
from typing import Any

import pytest
from observability_fastapi import LABELS
from observability_fastapi.settings import BUCKETS
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from alerting import contract
from simulator.engine.app import create_app
from simulator.engine.faults import Switchboard
from simulator.engine.request_metrics import RequestMetrics
from simulator.engine.tracing import Tracing
from simulator.systems import api
from tests.simulator.client import Client
from tests.simulator.lines import captured
from tests.simulator.pages import exposed, families

TRACE = "0af7651916cd43dd8448eb211c80319c"
KNOWN = {
    "traceparent": f"00-{TRACE}-b7ad6b7169203331-01",
    "X-Request-Id": "request-1",
    "X-Project-Id": "probe",
}
ERRORS = "observability_errors_total"
OPEN_METRICS = {"Accept": "application/openmetrics-text;version=1.0.0"}


class Pod:
    """A pod without a port. Its traces stay in memory."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracing = Tracing(self.exporter)
        self.metrics = RequestMetrics()
        self.switches = Switchboard(None, api.FAULTS)
        self.app = create_app(self.metrics, self.switches)
        rng = random.Random(1)  # noqa: S311 - a seed, so that a test repeats
        api.add_routes(self.app, self.tracing, self.switches, self.metrics, rng=rng)
        self.client = Client(self.app)

    def spans(self) -> list[ReadableSpan]:
        self.tracing.shutdown()
        return list(self.exporter.get_finished_spans())

    def count(self, **labels: str) -> float:
        return self.metrics.registry.get_sample_value("request_count", {"service": "api", **labels}) or 0.0


def test_the_contract_lists_the_metrics_and_labels_of_the_package() -> None:
    pod = Pod()
    pod.client.get("/items/5", headers=KNOWN)
    kinds = {exposed(family): family.type for family in families(pod.client.get("/metrics").text)}
    metrics = contract.load()["api"].metrics
    assert {tuple(metric.labels) for name, metric in metrics.items() if name != ERRORS} == {tuple(LABELS)}
    # The page in the old format has no suffix, so parsers do not recognise these counters.
    assert {name: {"unknown": "counter"}.get(kinds[name], kinds[name]) for name in metrics} == {
        name: metric.type for name, metric in metrics.items()
    }
    assert metrics["request_duration_seconds"].last_bucket == max(BUCKETS)


def test_one_request_is_found_in_all_three_signals() -> None:
    pod = Pod()
    with captured("api") as lines:
        answer = pod.client.get("/items/5", headers=KNOWN)
    text = pod.client.get("/metrics", headers=OPEN_METRICS).text
    spans = {span.name: span for span in pod.spans() if span.resource.attributes["service.name"] == "api"}
    gateway = [span for span in pod.spans() if span.resource.attributes["service.name"] == "api-gateway"]

    assert (answer.status_code, answer.headers["x-request-id"]) == (200, "request-1")
    (line,) = lines.read()
    own = spans["GET /items/{item_id}"]
    assert own.context
    assert own.parent
    assert spans["storage.read"].parent
    assert gateway[0].context
    assert gateway[0].parent
    assert (line["trace_id"], line["span_id"]) == (TRACE, f"{own.context.span_id:016x}")
    assert (line["request_id"], line["project_id"], line["service"]) == ("request-1", "probe", "api")
    assert line["operation"] == "GET /items/{item_id}"
    assert line["duration_ms"] > 0
    (exemplar,) = [one for one in text.splitlines() if TRACE in one]
    assert exemplar.startswith("request_duration_seconds_bucket{")
    assert 'endpoint="/items/{item_id}"' in exemplar
    # traceparent -> gateway -> api -> storage
    assert own.parent.span_id == gateway[0].context.span_id
    assert spans["storage.read"].parent.span_id == own.context.span_id
    assert f"{gateway[0].parent.span_id:016x}" == "b7ad6b7169203331"


def test_the_metrics_are_those_of_the_contract_and_counters_lack_their_suffix() -> None:
    pod = Pod()
    pod.client.get("/items/5", headers=KNOWN)
    for headers in ({}, OPEN_METRICS):
        text = pod.client.get("/metrics", headers=headers).text
        for name in ("request_count", "response_status_count"):
            (line,) = [one for one in text.splitlines() if one.startswith(f"{name}{{")]
            assert all(f"{label}=" in line for label in LABELS)
        assert "request_count_total" not in text
    labels = {
        exposed(family): {label for sample in family.samples for label in sample.labels} - {"le"}
        for family in families(pod.client.get("/metrics").text)
    }
    assert labels == {name: set(one.labels) for name, one in contract.load()["api"].metrics.items()}


def test_unknown_paths_and_projects_share_one_series() -> None:
    pod = Pod()
    for number in range(5):
        pod.client.get(f"/nothing/{number}", headers={"X-Project-Id": f"p{number}"})
        pod.client.get(f"/items/{number + 1}")

    assert pod.count(endpoint="unmatched", method="GET", status="404", project_id="other") == 5
    assert pod.count(endpoint="/items/{item_id}", method="GET", status="200", project_id="none") == 5


@pytest.mark.parametrize("given", [None, "", "has space", "x" * 129, "é"])
def test_an_invalid_request_id_is_replaced_by_a_uuid4(given: str | None) -> None:
    headers: Any = {} if given is None else {"X-Request-Id": given.encode()}
    answer = Pod().client.get("/items", headers=headers)

    assert uuid.UUID(answer.headers["x-request-id"]).version == 4


def test_requests_fail_while_the_fault_is_on() -> None:
    pod = Pod()
    pod.client.put("/faults/errors", params={"amount": 1})
    with captured("api") as lines:
        failed = pod.client.get("/items/5")
        pod.client.delete("/faults/errors")
        fine = pod.client.get("/items/5")
        broken = pod.client.get(f"/items/{api.BROKEN}")

    assert [one.status_code for one in (failed, fine, broken)] == [503, 200, 503]
    assert [line["level"] for line in lines.read() if line["message"] == "request"] == ["ERROR", "INFO", "ERROR"]


def test_requests_are_slow_while_the_fault_is_on() -> None:
    pod = Pod()
    pod.client.put("/faults/slow", params={"amount": 0.3})
    with captured("api") as lines:
        pod.client.get("/items")

    (line,) = lines.read()
    assert line["duration_ms"] > 300


def test_the_simulated_load_has_all_kinds_of_answers_but_few_errors() -> None:
    pod = Pod()
    load = api.Load(pod.app, pod.switches, rng=random.Random(1))  # noqa: S311 - a seed, so that a test repeats

    async def ask() -> list[int]:
        return [answer.status_code for answer in await asyncio.gather(*(load.request() for _ in range(400)))]

    with captured("api"):
        statuses = asyncio.run(ask())
    assert {200, 201, 404, 422, 503} == set(statuses)
    assert statuses.count(503) < 20
    assert pod.count(endpoint="/items", method="GET", status="200", project_id="probe") == 0


def test_a_fault_starts_with_a_burst_once() -> None:
    pod = Pod()
    load = api.Load(pod.app, pod.switches, rng=random.Random(1))  # noqa: S311 - a seed, so that a test repeats

    async def ask(times: int) -> int:
        for _ in range(times):
            load.start()
        running = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*running)
        return len(running)

    with captured("api"):
        counts = [asyncio.run(ask(1))]
        pod.client.put("/faults/ApiErrorRateHigh")
        counts += [asyncio.run(ask(3)), asyncio.run(ask(1))]
        pod.client.delete("/faults/ApiErrorRateHigh")
        counts.append(asyncio.run(ask(1)))
        pod.client.put("/faults/errors", params={"amount": 1})
        counts.append(asyncio.run(ask(1)))
    # The burst uses up the limit of waiting requests.
    assert counts == [1, 250, 1, 1, 250]
