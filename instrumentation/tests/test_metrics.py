"""Names, labels and exemplars of the contract; few series whatever is sent; many threads, many processes."""

import asyncio
import gc
import json
import math
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from fastapi import FastAPI
from observability_fastapi import LABELS, endpoints
from observability_fastapi.counting.metrics import Form, Labels, RequestMetrics, Series
from observability_fastapi.exemplars import Sampling
from observability_fastapi.failures import PARTS
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import Counter
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as plain_text
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from instrumentation.tests.service import Service

OPEN_METRICS = {"Accept": "application/openmetrics-text;version=1.0.0"}
NAMES = {"request_count", "request_duration_seconds", "response_status_count", "observability_errors"}
SENT = 1_000


async def item(_: Request) -> PlainTextResponse:
    return PlainTextResponse("item")


def shop(**options: object) -> Service:
    app = FastAPI()
    app.add_api_route("/items/{item_id}", item)
    return Service(app, **options)


@pytest.mark.parametrize("headers", [{}, OPEN_METRICS], ids=["text", "OpenMetrics"])
def test_the_counters_have_the_names_that_queries_use(headers: dict[str, str]) -> None:
    service = shop()
    service.ask("/items/1", headers={"X-Project-Id": "atlas"})
    answer = service.ask("/metrics", headers=headers)
    parse = open_metrics if headers else plain_text

    families = {family.name: family for family in parse(answer.text)}
    assert families.keys() == NAMES
    for name in ("request_count", "response_status_count"):
        (one,) = families[name].samples
        assert (one.name, one.value) == (name, 1.0)
        assert one.labels == dict(zip(LABELS, ("shop", "/items/{item_id}", "GET", "200", "atlas"), strict=True))
    assert {"_bucket", "_sum", "_count"} == {
        one.name.removeprefix("request_duration_seconds") for one in families["request_duration_seconds"].samples
    }
    assert ("openmetrics" if headers else "text/plain") in answer.headers("content-type")[0]


def test_the_metrics_page_is_ahead_of_every_route_and_takes_no_other_method() -> None:
    app = FastAPI()
    app.add_api_route("/{everything:path}", item)
    service = Service(app)
    assert "request_count" in service.ask("/metrics").text
    assert service.ask("/metrics", "POST").status == 405
    assert service.ask("/metrics", "HEAD").status == 200
    assert "request_count" in service.ask("/v1/metrics", root_path="/v1").text
    assert service.counts() == {}


def test_other_metrics_of_the_service_are_on_the_same_page() -> None:
    service = shop()
    Counter("sales", "Sales.", registry=service.registry).inc()
    assert "sales_total 1.0" in service.ask("/metrics").text


def test_an_exemplar_names_a_trace_that_is_recorded() -> None:
    service = shop(tracer=TracerProvider(shutdown_on_exit=False).get_tracer("test"))
    trace = "0af7651916cd43dd8448eb211c80319c"
    service.ask("/items/1", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
    (exemplar,) = [one for one in service.ask("/metrics", headers=OPEN_METRICS).text.splitlines() if " # {" in one]
    assert exemplar.startswith("request_duration_seconds_bucket{")
    assert f'trace_id="{trace}"' in exemplar
    assert trace not in service.ask("/metrics").text


def _exemplars(status: int, seconds: float) -> tuple[list[str], list[str]]:
    """Traces of requests with this status and duration, and those of them that the metrics name."""
    ids = random.Random(4)  # noqa: S311 -- always the same; ids that follow one another have nearly the same hash
    traces = [f"{ids.getrandbits(128):032x}" for _ in range(100)]
    named: list[str] = []
    times = iter(range(10**6))
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    app = FastAPI()

    @app.get("/answer")
    async def answer() -> PlainTextResponse:  # pyright: ignore[reportUnusedFunction]
        return PlainTextResponse("", status)

    sampling = {"exemplar_percentage": 10, "exemplar_slower_than": 2}
    service = Service(app, tracer=tracer, clock=lambda: next(times) * seconds, **sampling)
    for trace in traces:
        service.ask("/answer", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
        page = service.ask("/metrics", headers=OPEN_METRICS).text
        if f'trace_id="{trace}"' in page:
            named.append(trace)
    return traces, named


def test_exemplars_name_only_traces_that_the_collector_keeps() -> None:
    traces, named = _exemplars(200, 0.0)
    # A gateway's own decision about the same ids: tests/collector/test_sampling.py compares both.
    assert named == [trace for trace in traces if Sampling(10, 2).keeps(int(trace, 16), 200, 0)]
    assert 0 < len(named) < 30


@pytest.mark.parametrize(("status", "seconds"), [(500, 0.0), (503, 0.0), (200, 2.0)])
def test_failed_and_slow_requests_are_exemplars_whatever_their_share(status: int, seconds: float) -> None:
    traces, named = _exemplars(status, seconds)
    assert named == traces


@pytest.mark.parametrize(("percentage", "kept"), [(0, 0), (100, 1000)])
def test_no_share_keeps_none_and_the_whole_keeps_all(percentage: float, kept: int) -> None:
    sampling, ids = Sampling(percentage, 5), random.Random(4)  # noqa: S311 -- as above
    assert sum(sampling.keeps(ids.getrandbits(128), 404, 1) for _ in range(1000)) == kept


@pytest.mark.parametrize("flags", ["00", "01"])
def test_a_trace_that_nobody_records_is_no_exemplar(flags: str) -> None:
    service = shop()
    service.ask("/items/1", headers={"traceparent": f"00-{'a' * 32}-{'b' * 16}-{flags}"})
    assert " # {" not in service.ask("/metrics", headers=OPEN_METRICS).text


def test_a_thousand_of_everything_make_few_series() -> None:
    service = shop(max_projects=20)

    async def ask() -> None:
        for number in range(SENT):
            await service.request(f"/nothing/{number}")
            await service.request("/items/1", f"METHOD{number}")
            await service.request("/items/1", headers={"X-Request-Id": f"id-{number}", "X-Project-Id": f"p{number}"})
            await service.request("/items/1", headers={"X-Project-Id": f"not a project {number}"})

    asyncio.run(ask())
    assert sum(service.counts().values()) == 4 * SENT
    # unmatched, OTHER, and the item's: 20 projects, `other` and `invalid`.
    combinations = 2 + 22
    assert len(service.samples("request_count")) == combinations
    assert service.series() == combinations * (2 + 13 + 2) + len(PARTS)
    other = [one["value"] for one in service.samples("request_count") if one["project_id"] == "other"]
    assert other == [SENT - 20]


def test_a_mount_with_a_parameter_is_remembered_without_end_neither_in_series_nor_in_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(endpoints, "_MOST", 40)
    inner = FastAPI()
    inner.add_api_route("/items/{item_id}", item)
    app = FastAPI()
    app.mount("/tenants/{tenant}", inner)
    service = Service(app)

    async def ask() -> None:
        for number in range(50):
            await service.request(f"/tenants/{number}/items/1")

    asyncio.run(ask())
    assert service.counts() == {("GET", "/tenants/{tenant}/items/{item_id}", "200"): 50}
    (memory,) = [one for one in gc.get_objects() if isinstance(one, endpoints.Endpoints) and one._app is app]
    assert len(memory._known) == 10


class Interrupted(Series):
    """Another thread's turn comes wherever it hurts, and not once in a while."""

    def __init__(self, labels: Labels, bounds: Sequence[float]) -> None:
        super().__init__(labels, bounds)
        time.sleep(0.001)

    def add(self, bucket: int, seconds: float, received: int = 0, sent: int = 0) -> None:
        count, total = self.buckets[bucket], self.total
        time.sleep(0)
        self.buckets[bucket] = count + 1
        time.sleep(0)
        self.total = total + seconds


@pytest.mark.parametrize("make", [Series, Interrupted])
def test_no_request_is_lost_between_threads_that_count_and_one_that_collects(make: type[Series]) -> None:
    metrics = RequestMetrics(form=Form(bounds=(0.1, 1.0, math.inf)), make=make)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def count() -> None:
        for number in range(2000):
            metrics.observe(("s", str(number % 50), "GET", "200", "none"), 0.5, (1, 1))

    threads = [threading.Thread(target=count) for _ in range(8)]
    try:
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            assert all(sum(row.buckets) == pytest.approx(row.total * 2) for row in metrics.rows())
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert sum(sum(row.buckets) for row in metrics.rows()) == 16_000


WORKER = """
import asyncio, json, sys
from fastapi import FastAPI
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import Counter
from instrumentation.tests.service import Service
app = FastAPI()
app.add_api_route("/items/{item_id}", lambda item_id: item_id)
service = Service(app, tracer=TracerProvider(shutdown_on_exit=False).get_tracer("test"))
Counter("sales", "Sales.").inc()
for _ in range(3):
    service.ask("/items/1")
page = service.ask("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"})
print(json.dumps(page.text))
"""


def worker(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    command = [sys.executable, "-c", WORKER, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_worker_processes_are_counted_together(tmp_path: Path) -> None:
    worker(tmp_path)
    text: str = json.loads(worker(tmp_path).stdout)
    families = {family.name: family for family in open_metrics(text)}

    assert families.keys() == {*NAMES, "sales"}
    assert [one.value for one in families["request_count"].samples] == [6.0]
    assert [one.value for one in families["response_status_count"].samples] == [6.0]
    durations = families["request_duration_seconds"].samples
    assert {one.labels["le"]: one.value for one in durations if "le" in one.labels}["+Inf"] == 6.0
    assert any(one.exemplar for one in durations)


def test_a_folder_for_processes_that_is_none_is_an_error(tmp_path: Path) -> None:
    done = worker(tmp_path / "missing")
    assert "PROMETHEUS_MULTIPROC_DIR is" in done.stderr
    assert "allowed: an existing folder" in done.stderr
