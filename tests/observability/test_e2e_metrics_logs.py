"""One request adds one to the counters in Prometheus, a line with its id to Loki, and a trace to Jaeger."""

import json
import secrets
import time
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import eventually
from tests.observability.conftest import ARRIVES, Api

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("api-probe"), pytest.mark.usefixtures("all_pods")]
# The simulator's own load never uses this project, and the group keeps other tests from using it at the same time.
PROJECT = "probe"
# This path always fails, and sampling keeps every trace with an error.
BROKEN = "/items/666"


def query(stack: dict[str, str], expression: str) -> float:
    """Sum of the series that the expression finds; 0 if it finds none."""
    answer = httpx.get(f"{stack['prometheus']}/api/v1/query", params={"query": f"sum({expression})"}, timeout=30)
    return sum(float(one["value"][1]) for one in answer.json()["data"]["result"])


def lines(stack: dict[str, str], request: str) -> list[dict[str, Any]]:
    """The parsed lines of one request."""
    params: dict[str, str | int] = {
        "query": f'{{namespace="api"}} | request_id="{request}"',
        "start": int((time.time() - 900) * 1e9),
    }
    answer = httpx.get(f"{stack['loki']}/loki/api/v1/query_range", params=params, timeout=30).json()
    return [json.loads(text) for stream in answer["data"]["result"] for _, text in stream["values"]]


def test_a_request_shows_in_metrics_logs_and_traces(api: Api, stack: dict[str, str]) -> None:
    request, selector = f"e2e-{secrets.token_hex(8)}", f'{{service="api",status="503",project_id="{PROJECT}"}}'
    before = {name: query(stack, name + selector) for name in ("request_count", "request_duration_seconds_count")}
    answer = api.get(BROKEN, ("X-Request-Id", request), ("X-Project-Id", PROJECT))
    assert (answer.status_code, answer.headers["x-request-id"]) == (503, request)

    for name, count in before.items():
        eventually(
            lambda name=name, count=count: query(stack, name + selector) >= count + 1,
            seconds=ARRIVES,
            what=f"{name} does not count the request",
        )
    found = eventually(lambda: lines(stack, request), seconds=ARRIVES, what="Loki has no line of the request")
    line = found[0]
    assert {"timestamp", "service", "level", "message", "request_id", "project_id", "trace_id"} <= set(line)
    assert (line["request_id"], line["service"], line["project_id"]) == (request, "api", PROJECT)
    eventually(
        lambda: httpx.get(f"{stack['jaeger']}/api/traces/{line['trace_id']}", timeout=30).json()["data"],
        seconds=ARRIVES,
        what="Jaeger has no trace of the request",
    )
