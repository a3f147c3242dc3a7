"""A service that only speaks OTLP: its metric with an exemplar, its line and its trace arrive, and so does its alert.

A second copy of the simulated API in a namespace of its own. It has no annotation, so that nobody scrapes it, and
pushes its metrics. Its names are those of every service with the FastAPI package, so it has their dashboard and alerts.
"""

import secrets
import time
from collections.abc import Iterator
from typing import Any, cast

import httpx
import pytest
from kubernetes import client

from local.paths import KUBECONFIG
from ops.clients.kube import Cluster, Service, service_urls
from ops.clients.signals import Receiver, Simulator
from tests.e2e.conftest import eventually
from tests.e2e.test_correlation import BROKEN, get, lines, spans

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("all_pods")]
NAMESPACE = "otlp-only"
ARRIVES = 120
# The window of the alert must hold mostly failed requests, and then `for` passes.
FIRES = 420
# A push counts for five minutes.
GONE = 420


@pytest.fixture(scope="module")
def urls(core: client.CoreV1Api) -> Iterator[dict[str, str]]:
    apps: Any = client.AppsV1Api()  # whose types know no plain objects
    create: Any = core
    create.create_namespace({"metadata": {"name": NAMESPACE}})
    try:
        apps.create_namespaced_deployment(NAMESPACE, _copy(apps.read_namespaced_deployment("api", "api")))
        ports = [{"name": "http", "port": 8000, "targetPort": "http"}]
        spec = {"selector": {"app.kubernetes.io/name": "api"}, "ports": ports}
        create.create_namespaced_service(NAMESPACE, {"metadata": {"name": "api"}, "spec": spec})

        def ready() -> bool:
            return bool(apps.read_namespaced_deployment("api", NAMESPACE).status.ready_replicas)

        eventually(ready, seconds=120, what="the service is not ready")
        ports_of = {"prometheus": 9090, "loki": 3100, "jaeger": 16686}
        services = {name: Service(namespace="observability", name=name, port=port) for name, port in ports_of.items()}
        services["receiver"] = Service(namespace="receiver", name="receiver", port=8080)
        services["api"] = Service(namespace=NAMESPACE, name="api", port=8000)
        with service_urls(Cluster(kubeconfig=KUBECONFIG), **services) as found:
            yield found
    finally:
        _leave_on_purpose(core)


def _leave_on_purpose(core: client.CoreV1Api) -> None:
    """Remove the namespace, whose services would be missed for a day."""
    core.patch_namespace(NAMESPACE, {"metadata": {"labels": {"observability/temporary": "true"}}})
    prometheus = Service(namespace="observability", name="prometheus", port=9090)
    query = f'kube_namespace_labels{{namespace="{NAMESPACE}", label_observability_temporary="true"}}'
    with service_urls(Cluster(kubeconfig=KUBECONFIG), prometheus=prometheus) as found:
        url = f"{found['prometheus']}/api/v1/query"
        eventually(lambda: get(url, query=query)["data"]["result"], seconds=ARRIVES, what="the label is not seen")
    core.delete_namespace(NAMESPACE)


def _copy(original: Any) -> dict[str, Any]:
    template = cast(dict[str, Any], client.ApiClient().sanitize_for_serialization(original.spec.template))
    template["metadata"] = {"labels": template["metadata"]["labels"]}
    (container,) = template["spec"]["containers"]
    container["env"].append({"name": "OBSERVABILITY_PUSH", "value": "true"})
    selector = {"matchLabels": {"app.kubernetes.io/name": "api"}}
    return {"metadata": {"name": "api"}, "spec": {"replicas": 1, "selector": selector, "template": template}}


def test_one_request_is_a_metric_with_an_exemplar_a_line_and_a_trace(urls: dict[str, str]) -> None:
    trace, request = secrets.token_hex(16), f"e2e-{secrets.token_hex(4)}"
    headers = {
        "traceparent": f"00-{trace}-{secrets.token_hex(8)}-01",
        "X-Request-Id": request,
        "X-Project-Id": "probe",
    }
    assert httpx.get(urls["api"] + BROKEN, headers=headers, timeout=10).status_code == 503

    def exemplars() -> bool:
        query = f'request_duration_seconds_bucket{{namespace="{NAMESPACE}", project_id="probe"}}'
        asked = {"query": query, "start": time.time() - 900, "end": time.time()}
        return trace in str(get(f"{urls['prometheus']}/api/v1/query_exemplars", **asked)["data"])

    eventually(exemplars, seconds=ARRIVES, what="no exemplar with the trace id")
    query = f'request_count{{namespace="{NAMESPACE}", job="otlp", app="api", service="api", pod=~"api-.+", node=~".+"}}'
    assert get(f"{urls['prometheus']}/api/v1/query", query=query)["data"]["result"]
    assert not get(f"{urls['prometheus']}/api/v1/query", query=f'up{{namespace="{NAMESPACE}"}}')["data"]["result"]
    found = f'{{namespace="{NAMESPACE}", service="api"}} | request_id="{request}"'
    eventually(lambda: lines(urls, found), seconds=ARRIVES, what="no line with the request id")
    eventually(lambda: spans(urls, trace), seconds=ARRIVES, what="no such trace")


def test_its_alert_is_delivered(urls: dict[str, str]) -> None:
    since = time.time()
    Simulator(urls["api"]).switch_on("ApiErrorRateHigh")

    def delivered() -> bool:
        found = Receiver(urls["receiver"]).deliveries(since)
        return any(one.about("ApiErrorRateHigh", "firing") and NAMESPACE in str(one) for one in found)

    eventually(delivered, seconds=FIRES, what="no notification")


@pytest.mark.nightly
def test_it_is_missed_when_it_pushes_nothing_any_more(urls: dict[str, str]) -> None:
    since = time.time()
    client.AppsV1Api().patch_namespaced_deployment_scale("api", NAMESPACE, {"spec": {"replicas": 0}})

    def delivered() -> bool:
        found = Receiver(urls["receiver"]).deliveries(since)
        return any(one.about("ApiServiceDown", "firing") and NAMESPACE in str(one) for one in found)

    eventually(delivered, seconds=GONE, what="no notification")


def test_kubernetes_events_about_it_are_lines_in_loki(urls: dict[str, str]) -> None:
    query = f'{{app="kubernetes-events", namespace="{NAMESPACE}"}} | kind="Pod" | reason="Started"'
    streams = eventually(lambda: lines(urls, query), seconds=ARRIVES, what="no event")
    texts = [text for stream in streams for _, text in stream["values"]]
    assert len(texts) == len(set(texts)), "an event is sent twice"
    assert all(text.startswith("Pod/api-") for text in texts)
