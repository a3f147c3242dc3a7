"""One request has an exemplar, log lines and a trace with the same id, and Grafana's links lead from one to another."""

import re
import secrets
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import httpx
import pytest
from kubernetes import client

from components.grafana import data_sources
from local.paths import KUBECONFIG
from ops.clients.kube import Cluster, Service, service_urls
from tests.e2e.conftest import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("api-probe"), pytest.mark.usefixtures("all_pods")]
# This item always fails, and sampling keeps every trace with an error.
BROKEN = "/items/666"
SERVICE = "api"
# Seconds for scrape, export and sampling decision, with a margin for a busy machine.
ARRIVES = 90
# The results of these queries tell why an exemplar is missing: the pod restarted, Prometheus did not scrape the pod, or
# the pod did not count the request, or counted another one.
SCRAPED = (
    'up{namespace="api"}',
    'process_start_time_seconds{namespace="api"}',
    'request_count{namespace="api", project_id="probe"}',
    "prometheus_tsdb_exemplar_exemplars_in_storage",
)
# Exemplars that are asked for; their ids are random.
SAMPLE = 100


@pytest.fixture(scope="module")
def urls(core: client.CoreV1Api) -> Iterator[dict[str, str]]:
    del core  # this fixture fails with advice if the cluster does not run
    ports = {"prometheus": 9090, "loki": 3100, "jaeger": 16686}
    services = {name: Service(namespace="observability", name=name, port=port) for name, port in ports.items()}
    services["api"] = Service(namespace="api", name="api", port=8000)
    with service_urls(Cluster(kubeconfig=KUBECONFIG), **services) as found:
        yield found


@pytest.fixture(scope="module")
def request_ids(urls: dict[str, str]) -> tuple[str, str]:
    """Sends one request; gives its trace id and request id."""
    trace, request = secrets.token_hex(16), f"e2e-{secrets.token_hex(4)}"
    headers = {
        "traceparent": f"00-{trace}-{secrets.token_hex(8)}-01",
        "X-Request-Id": request,
        # Neither the simulator's own load nor another test uses this project meanwhile. So no other request replaces
        # the exemplar before the next scrape.
        "X-Project-Id": "probe",
    }
    answer = httpx.get(urls["api"] + BROKEN, headers=headers, timeout=10)
    assert (answer.status_code, answer.headers["X-Request-Id"]) == (503, request)
    return trace, request


def get(url: str, **params: Any) -> Any:
    answer = httpx.get(url, params=params, timeout=10)
    answer.raise_for_status()
    return answer.json()


def lines(urls: dict[str, str], query: str) -> list[dict[str, Any]]:
    """Streams of the last 15 minutes: labels and structured metadata, with their lines."""
    start = int((time.time() - 900) * 1e9)
    return get(f"{urls['loki']}/loki/api/v1/query_range", query=query, start=start, limit=100)["data"]["result"]


def numbers(urls: dict[str, str], query: str) -> list[dict[str, Any]]:
    """Series that Prometheus finds now, with their values."""
    return get(f"{urls['prometheus']}/api/v1/query", query=query)["data"]["result"]


def spans(urls: dict[str, str], trace: str) -> list[dict[str, Any]]:
    answer = httpx.get(f"{urls['jaeger']}/api/traces/{trace}", timeout=10)
    return answer.json()["data"][0]["spans"] if answer.status_code == 200 else []


def test_the_metric_has_an_exemplar_and_its_link_opens_the_trace(
    urls: dict[str, str], request_ids: tuple[str, str]
) -> None:
    link = data_sources.prometheus_json("5s")["exemplarTraceIdDestinations"][0]

    def exemplar() -> dict[str, str] | None:
        found = get(
            f"{urls['prometheus']}/api/v1/query_exemplars",
            query='request_duration_seconds_bucket{project_id="probe"}',
            start=time.time() - 900,
            end=time.time(),
        )["data"]
        ids = [one["labels"] for series in found for one in series["exemplars"]]
        print(ids, {asked: numbers(urls, asked) for asked in SCRAPED})
        return next((labels for labels in ids if labels.get(link["name"]) == request_ids[0]), None)

    labels = eventually(exemplar, seconds=ARRIVES, what="no exemplar with the trace id")
    assert link["datasourceUid"] == data_sources.JAEGER
    assert eventually(lambda: spans(urls, labels[link["name"]]), seconds=ARRIVES, what="no such trace")


@pytest.mark.parametrize("metric", ["traces_span_metrics_duration_seconds_bucket", "request_duration_seconds_bucket"])
def test_nine_of_ten_exemplars_lead_to_a_trace(
    core: client.CoreV1Api, urls: dict[str, str], metric: str, record_property: Callable[[str, object], None]
) -> None:
    name = data_sources.prometheus_json("5s")["exemplarTraceIdDestinations"][0]["name"]
    collectors = "app.kubernetes.io/name in (otel-agent,otel-gateway,jaeger)"
    pods = core.list_pod_for_all_namespaces(label_selector=collectors).items
    ready = [one.last_transition_time for pod in pods for one in pod.status.conditions if one.type == "Ready"]
    # A service that starts before them sends its first spans to nobody.
    begin = max(time.time() - 900, *(one.timestamp() for one in ready))

    def exemplars() -> list[str]:
        # Later ones may belong to traces that are not yet decided or stored.
        end = max(begin, time.time() - ARRIVES)
        found = get(f"{urls['prometheus']}/api/v1/query_exemplars", query=metric, start=begin, end=end)["data"]
        return sorted({one["labels"][name] for series in found for one in series["exemplars"]})[:SAMPLE]

    asked = eventually(exemplars, seconds=2 * ARRIVES, what=f"{metric} has no exemplars")
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in asked)
    kept = [one for one in asked if spans(urls, one)]
    record_property(f"{metric}: exemplars asked", len(asked))
    record_property(f"{metric}: exemplars with a trace", len(kept))
    assert len(kept) >= 0.9 * len(asked)


def test_the_log_line_keeps_its_ids_and_its_links_open_the_trace(
    urls: dict[str, str], request_ids: tuple[str, str]
) -> None:
    trace, request = request_ids
    query = f'{{namespace="api", service="{SERVICE}"}} | request_id="{request}"'
    streams = eventually(lambda: lines(urls, query), seconds=ARRIVES, what="no line with the request id")
    by_label, by_text = data_sources.loki_json()["derivedFields"]
    for stream in streams:
        assert stream["stream"][by_label["matcherRegex"]] == trace
        for _, text in stream["values"]:
            assert re.findall(by_text["matcherRegex"], text) == [trace]
    assert {by_label["datasourceUid"], by_text["datasourceUid"]} == {data_sources.JAEGER}
    assert spans(urls, trace) or eventually(lambda: spans(urls, trace), seconds=ARRIVES, what="no such trace")


def test_the_trace_has_several_services_and_its_links_find_lines_and_metrics(
    urls: dict[str, str], request_ids: tuple[str, str]
) -> None:
    trace, _ = request_ids
    assert len(eventually(lambda: spans(urls, trace), seconds=ARRIVES, what="no such trace")) >= 3
    options = data_sources.jaeger_json()

    def tags(of: dict[str, Any]) -> str:
        """The text that Grafana inserts for the tags of a span of SERVICE."""
        return ", ".join(f'{tag["value"]}="{SERVICE}"' for tag in of["tags"])

    logs = options["tracesToLogsV2"]
    query = logs["query"].replace("${__tags}", tags(logs)).replace("${__trace.traceId}", trace)
    assert "$" not in query
    assert eventually(lambda: lines(urls, query), seconds=ARRIVES, what=f"{query} finds no line")
    for item in options["tracesToMetrics"]["queries"]:
        query = item["query"].replace("$__tags", tags(options["tracesToMetrics"]))
        assert "$" not in query

        assert eventually(partial(numbers, urls, query), seconds=ARRIVES, what=f"{query} finds nothing")


def test_jaeger_shows_service_performance_from_the_span_metrics(urls: dict[str, str]) -> None:
    def calls() -> Any:
        answer = get(
            f"{urls['jaeger']}/api/metrics/calls",
            service=SERVICE,
            spanKind="server",
            lookback=600_000,
            step=60_000,
            ratePer=600_000,
        )
        return [point for one in answer["metrics"] for point in one["metricPoints"] if point]

    assert eventually(calls, seconds=ARRIVES, what="Jaeger has no service performance")
