"""The Jaeger component: one pod with a volume, or any number of pods with OpenSearch. Other storage is refused."""

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from components.traces import jaeger_config
from components.traces.jaeger import Jaeger
from tests.mock_engine import Recorded

Engine = Callable[..., Recorded]
OPENSEARCH = {"urls": ["https://search.example.com", "https://other.example.com:9200"]}


def _jaeger(**changes: Any) -> Jaeger:
    args: Any = {
        "namespace": "home",
        "storage_backend": "badger",
        "retention": "7d",
        "memory": "512Mi",
        "storage": "1Gi",
        "storage_class": None,
        "replicas": 2,
        "prometheus": "prometheus",
        "prometheus_url": "http://prometheus.home.svc:9090",
        "prometheus_port": 9090,
        "gateway": "otel-gateway",
        **changes,
    }
    return Jaeger("jaeger", args)


def _with_opensearch() -> Jaeger:
    credentials = {"username": "jaeger", "password": "hush-password"}
    return _jaeger(storage_backend="opensearch", opensearch={**OPENSEARCH, **credentials})


def _config(recorded: Recorded) -> dict[str, Any]:
    return yaml.safe_load(recorded.one("ConfigMap", "jaeger-config").inputs["data"]["jaeger.yaml"])


def test_badger_is_one_pod_with_a_volume_for_any_number_of_replicas(engine: Engine, preview: bool) -> None:
    recorded = engine(_jaeger, preview=preview)
    assert recorded.one("StatefulSet", "jaeger").inputs["spec"]["replicas"] == 1
    assert not recorded.of("Deployment")
    assert not recorded.of("Secret")
    (badger,) = _config(recorded)["extensions"]["jaeger_storage"]["backends"].values()
    assert badger["badger"]["ttl"] == {"spans": "604800000ms"}
    assert badger["badger"]["ephemeral"] is False
    assert recorded.outputs["jaeger"] == {"url": "http://jaeger.home.svc:16686", "otlp": "jaeger.home.svc:4317"}


def test_opensearch_is_a_deployment_with_its_password_only_in_a_secret(engine: Engine, preview: bool) -> None:
    recorded = engine(_with_opensearch, preview=preview)
    assert recorded.one("Deployment", "jaeger").inputs["spec"]["replicas"] == 2
    assert not recorded.of("StatefulSet")
    assert recorded.one("Secret", "jaeger-opensearch").secret_inputs == {"stringData"}
    assert "hush-password" not in str([one.inputs for one in recorded.resources if one.kind != "Secret"])
    (store,) = _config(recorded)["extensions"]["jaeger_storage"]["backends"].values()
    assert store["opensearch"]["auth"]["basic"]["password"] == "${env:OPENSEARCH_PASSWORD}"
    egress = recorded.one("NetworkPolicy", "jaeger").inputs["spec"]["egress"]
    assert [[port["port"] for port in rule["ports"]] for rule in egress] == [[9090], [443, 9200]]


def test_gateways_may_send_traces_and_people_may_read_them(engine: Engine, preview: bool) -> None:
    ingress = engine(_jaeger, preview=preview).one("NetworkPolicy", "jaeger").inputs["spec"]["ingress"]
    assert [[port["port"] for port in rule["ports"]] for rule in ingress] == [[4317], [16686], [16686, 8888]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"storage_backend": "cassandra"}, "'cassandra'; allowed: badger, opensearch"),
        ({"storage_backend": "opensearch"}, "opensearch.urls is empty or not set"),
    ],
)
def test_an_unusable_storage_backend_is_refused(engine: Engine, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        engine(lambda: _jaeger(**changes))


def test_there_are_two_storage_backends() -> None:
    assert jaeger_config.STORAGE_BACKENDS == ("badger", "opensearch")
