"""Of 1,000 traces, all with an error and a tenth of the others reach Jaeger on the running platform, complete."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import httpx
import pytest
from kubernetes import client

from local.paths import KUBECONFIG
from ops.clients.kube import Cluster, Service, service_urls
from tests.e2e.conftest import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("all_pods")]
Ask = Callable[[str, str, int, str], Any]
TRACES, ERRORS = 1000, 50
BETWEEN_LOOKS = 3.0
"""Seconds between two queries. The gateways decide once a second, and send the kept traces within another second."""
GATEWAYS = ("otel-gateway-0", "otel-gateway-1")
_RECEIVED = "otelcol_receiver_accepted_spans"


@pytest.fixture
def urls(core: client.CoreV1Api) -> Iterator[dict[str, str]]:
    del core  # this fixture fails with advice if the cluster does not run
    with service_urls(
        Cluster(kubeconfig=KUBECONFIG),
        simulator=Service(namespace="speccursor", name="speccursor", port=8000),
        jaeger=Service(namespace="observability", name="jaeger", port=16686),
    ) as found:
        yield found


def _received(ask: Ask, gateway: str) -> float:
    rows = ask("observability", gateway, 8888, "/metrics").splitlines()
    return sum(float(row.rsplit(" ", 1)[1]) for row in rows if row.startswith(_RECEIVED))


def _sent(simulator: str) -> httpx.Response | None:
    """The simulator's answer; None where it took so long that the port-forward was restarted meanwhile."""
    try:
        sent = httpx.post(f"{simulator}/traces", json={"count": TRACES, "errors": ERRORS}, timeout=120)
    except httpx.RemoteProtocolError:
        return None
    assert sent.status_code == 200, sent.text
    return sent


def test_all_errors_and_a_tenth_of_the_rest_are_complete_in_jaeger(ask: Ask, urls: dict[str, str]) -> None:
    before = {gateway: _received(ask, gateway) for gateway in GATEWAYS}
    sent = eventually(lambda: _sent(urls["simulator"]), seconds=180, what="the simulator does not send traces")
    spans = {trace["trace_id"]: trace["spans"] for trace in sent.json()["traces"]}
    failed = {trace["trace_id"] for trace in sent.json()["traces"] if trace["error"]}
    assert (len(spans), len(failed)) == (TRACES, ERRORS)

    with httpx.Client(base_url=urls["jaeger"], timeout=30) as jaeger:

        def stored(traces: Iterable[str]) -> dict[str, int]:
            """Number of different spans that Jaeger has of each of these traces, read by one query."""
            answer = jaeger.get("/api/traces", params=[("traceID", trace) for trace in traces]).raise_for_status()
            return {one["traceID"]: len({span["spanID"] for span in one["spans"]}) for one in answer.json()["data"]}

        wanted = {trace: spans[trace] for trace in failed}
        eventually(lambda: stored(failed) == wanted, seconds=90, what="traces with errors are missing or incomplete")

        def settled() -> dict[str, int] | None:
            """Number of spans of each kept trace, once two queries give the same result."""
            first = stored(spans)
            time.sleep(BETWEEN_LOOKS)
            return first if stored(spans) == first else None

        kept = eventually(settled, seconds=90, what="traces are still arriving")
    incomplete = {trace: (count, spans[trace]) for trace, count in kept.items() if count != spans[trace]}
    assert not incomplete
    share = (len(kept) - ERRORS) / (TRACES - ERRORS)
    assert 0.07 <= share <= 0.13, f"{share:.1%} of the traces without an error are kept"
    for gateway in GATEWAYS:
        assert _received(ask, gateway) - before[gateway] > sum(spans.values()) / 4, f"{gateway} received too few spans"
