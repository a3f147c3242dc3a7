"""A ServiceMonitor and a PodMonitor in the cluster: their pods are scraped, and others are not.

The cluster gets the two kinds of objects with a schema of this test, and loses them again.
"""

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import quote

import pytest
from kubernetes import client

from settings import versions
from tests.e2e.conftest import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("all_pods")]
Ask = Callable[[str, str, int, str], Any]
GROUP = "monitoring.coreos.com"
KINDS = {"servicemonitors": "ServiceMonitor", "podmonitors": "PodMonitor"}
# The program lists monitors every 30 s, and Prometheus looks at its file every 5 s.
ARRIVES = 90
PROGRAM = """
from http.server import BaseHTTPRequestHandler, HTTPServer

class Metrics(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(b'till_open{namespace="media"} 1\\nkube_pod_info 1\\n')

HTTPServer(("", 8000), Metrics).serve_forever()
"""


def _definition(plural: str) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
    }
    kind = KINDS[plural]
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
            "scope": "Namespaced",
            "versions": [version],
        },
    }


def _monitor(plural: str, name: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": f"{GROUP}/v1", "kind": KINDS[plural], "metadata": {"name": name}, "spec": spec}


def _pod(name: str) -> dict[str, Any]:
    container = {
        "name": "till",
        "image": versions.SIMULATOR_IMAGE,
        "command": ["python3", "-c", PROGRAM],
        "ports": [{"name": "web", "containerPort": 8000}],
    }
    return {
        "metadata": {"name": name, "labels": {"app.kubernetes.io/name": "till", "way": name}},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "containers": [container],
        },
    }


@pytest.fixture(scope="module")
def namespaces(core: client.CoreV1Api) -> Iterator[tuple[str, str]]:
    """A namespace with two pods, a Service for one of them, and monitors; and one of strangers."""
    definitions: Any = client.ApiextensionsV1Api(core.api_client)
    objects: Any = client.CustomObjectsApi(core.api_client)
    create: Any = core
    ours, strangers = (f"e2e-monitors-{part}-{int(time.time())}" for part in ("shop", "strangers"))
    made: list[str] = []
    try:
        for plural in KINDS:
            definitions.create_custom_resource_definition(_definition(plural))
            made.append(f"{plural}.{GROUP}")
        for name in (ours, strangers):
            core.create_namespace({"metadata": {"name": name, "labels": {"observability/temporary": "true"}}})
        for name in ("by-service", "by-pod", "unselected"):
            eventually(
                partial(create.create_namespaced_pod, ours, _pod(name)), seconds=30, what="the pod is not accepted"
            )
        service = {"ports": [{"name": "metrics", "port": 80, "targetPort": "web"}], "selector": {"way": "by-service"}}
        create.create_namespaced_service(
            ours, {"metadata": {"name": "till", "labels": {"app": "till"}}, "spec": service}
        )
        forging = [
            {"targetLabel": "namespace", "replacement": "media"},
            {"targetLabel": "pod", "replacement": "upload"},
        ]
        by_service = {"selector": {"matchLabels": {"app": "till"}}}
        by_pod = {"selector": {"matchLabels": {"way": "by-pod"}}}
        all_of = {"namespaceSelector": {"matchNames": [ours]}, "selector": {}}
        secret = {"username": {"name": "a", "key": "b"}, "password": {"name": "a", "key": "b"}}
        for namespace, plural, name, spec in (
            (
                ours,
                "servicemonitors",
                "good",
                {**by_service, "endpoints": [{"port": "metrics", "relabelings": forging}]},
            ),
            (ours, "podmonitors", "good", {**by_pod, "podMetricsEndpoints": [{"port": "web"}]}),
            (
                ours,
                "podmonitors",
                "bad",
                {"selector": {}, "podMetricsEndpoints": [{"port": "web", "basicAuth": secret}]},
            ),
            (strangers, "podmonitors", "foreign", {**all_of, "podMetricsEndpoints": [{"port": "web"}]}),
        ):
            body = _monitor(plural, name, **spec)
            # A new kind of objects is served a moment later.
            eventually(
                partial(objects.create_namespaced_custom_object, GROUP, "v1", namespace, plural, body),
                seconds=30,
                what=f"{plural} are not served",
            )
        yield ours, strangers
    finally:
        for name in made:
            definitions.delete_custom_resource_definition(name)
        for name in (ours, strangers):
            try:
                core.delete_namespace(name)
            except client.ApiException as error:
                if error.status != 404:
                    raise


def _series(ask: Ask, query: str, replica: int = 0) -> list[dict[str, str]]:
    answer = ask("observability", f"prometheus-{replica}", 9090, f"/api/v1/query?query={quote(query)}")
    return [one["metric"] for one in answer["data"]["result"]]


@pytest.mark.parametrize("replica", range(2))
def test_the_pods_that_monitors_select_are_scraped(ask: Ask, namespaces: tuple[str, str], replica: int) -> None:
    ours, _ = namespaces

    def both() -> bool:
        found = _series(ask, f'up{{namespace="{ours}"}} == 1', replica)
        return {one["pod"] for one in found} == {"by-service", "by-pod"}

    eventually(both, seconds=ARRIVES, what=f"prometheus-{replica} does not scrape them")
    targets = {one["pod"]: one for one in _series(ask, f'up{{namespace="{ours}"}}', replica)}
    common = {"app": "till", "container": "till", "namespace": ours}
    assert targets["by-service"].items() >= {**common, "service": "till", "job": "till", "endpoint": "metrics"}.items()
    assert targets["by-pod"].items() >= {**common, "job": f"{ours}/good", "endpoint": "web"}.items()
    assert all(one["node"] for one in targets.values())
    (sample,) = _series(ask, f'till_open{{namespace="{ours}",pod="by-pod"}}', replica)
    assert sample["exported_namespace"] == "media"
    assert not _series(ask, f'kube_pod_info{{namespace="{ours}",endpoint!=""}}', replica)


def test_what_is_not_allowed_is_skipped_and_told(core: client.CoreV1Api, ask: Ask, namespaces: tuple[str, str]) -> None:
    ours, strangers = namespaces

    def told() -> dict[str, str]:
        log = core.read_namespaced_pod_log("prometheus-0", "observability", container="monitor-reader", tail_lines=200)
        lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
        skipped = [line for line in lines if line["message"] == "monitor is skipped"]
        found = {line["name"]: line["reason"] for line in skipped if line["namespace"] in namespaces}
        assert found.keys() == {"bad", "foreign"}
        return found

    reasons = eventually(told, seconds=ARRIVES, what="no monitor is skipped")
    assert reasons["bad"].startswith("podMetricsEndpoints[0].basicAuth: Prometheus reads no Secrets")
    assert reasons["foreign"].startswith("namespaceSelector: selects other namespaces than its own")
    assert not _series(ask, f'up{{job=~"{strangers}/.*"}}')
    assert not _series(ask, f'up{{pod="unselected",namespace="{ours}"}}')
    assert not _series(ask, 'up{namespace="media",pod="upload"}')


@pytest.mark.parametrize("replica", range(2))
def test_prometheus_takes_the_jobs(ask: Ask, namespaces: tuple[str, str], replica: int) -> None:
    del namespaces
    (found,) = _series(
        ask, f'min by (pod) (prometheus_config_last_reload_successful{{pod="prometheus-{replica}"}}) == 1'
    )
    assert found["pod"] == f"prometheus-{replica}"
