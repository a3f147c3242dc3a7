"""How pods leave the cluster: by a proxy, and with authorities of one's own."""

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from tests.mock_engine import Recorded

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
PROXY = "http://proxy.example.com:3128"
CHANGES = {
    "proxyUrl": PROXY,
    "noProxy": '["vpc-search.eu-central-1.es.amazonaws.com", "10.9.0.0/16"]',
    "podCidrs": '["10.0.0.0/16"]',
    "caBundle": PEM,
}


@pytest.fixture
def proxied(program: Callable[..., Recorded]) -> Recorded:
    return program("production", **CHANGES)


def pods(recorded: Recorded) -> dict[str, dict[str, Any]]:
    return {
        one.object_name: one.inputs["spec"]["template"]["spec"]
        for one in recorded.resources
        if one.pod or one.kind == "Job"
    }


def variables(container: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one.get("value", "") for one in container.get("env", [])}


def test_every_container_knows_the_proxy_and_the_authorities(proxied: Recorded) -> None:
    found = pods(proxied)
    assert {"loki", "grafana", "alertmanager", "workspace-proxy", "loki-identity", "index-retention"} <= found.keys()
    for name, pod in found.items():
        assert {"name": "ca-bundle", "configMap": {"name": "ca-bundle"}} in pod["volumes"], name
        for container in pod["containers"]:
            known = variables(container)
            assert known["HTTPS_PROXY"] == PROXY, name
            assert "HTTP_PROXY" not in known, "plain http is inside the cluster"
            assert known["SSL_CERT_FILE"] == "/etc/ca-bundle/ca.crt", name
            assert "/etc/ca-bundle" in {one["mountPath"] for one in container["volumeMounts"]}, name


def test_the_way_inside_is_direct(proxied: Recorded) -> None:
    direct = set(variables(pods(proxied)["loki"]["containers"][0])["NO_PROXY"].split(","))
    inside = {".svc", "$(KUBERNETES_SERVICE_HOST)", "169.254.170.23", "10.0.0.0/16"}
    assert inside | {"vpc-search.eu-central-1.es.amazonaws.com", "10.9.0.0/16"} <= direct


def test_each_namespace_has_the_authorities(proxied: Recorded) -> None:
    bundles = [one for one in proxied.of("ConfigMap") if one.object_name == "ca-bundle"]
    assert {one.inputs["metadata"]["namespace"] for one in bundles} == {"observability", "observability-agent"}
    assert {one.inputs["data"]["ca.crt"] for one in bundles} == {PEM}


def test_whoever_may_use_https_anywhere_reaches_the_proxy(proxied: Recorded) -> None:
    def anywhere(recorded: Recorded) -> dict[str, set[int]]:
        """Policy -> the ports on which its pods reach every address."""
        return {
            one.object_name: {
                port["port"]
                for rule in one.inputs["spec"].get("egress", [])
                if not rule.get("to")
                for port in rule["ports"]
            }
            for one in recorded.of("NetworkPolicy")
        }

    for name, ports in anywhere(proxied).items():
        assert (3128 in ports) is (443 in ports), name
    assert 3128 in anywhere(proxied)["loki"]


def test_alertmanager_takes_the_proxy_from_its_environment(proxied: Recorded) -> None:
    (secret,) = [one for one in proxied.of("Secret") if "alertmanager.yml" in one.inputs.get("stringData", {})]
    document = yaml.safe_load(secret.inputs["stringData"]["alertmanager.yml"])
    assert document["global"]["http_config"] == {"proxy_from_environment": True}


def test_without_a_proxy_nothing_is_set(program: Callable[..., Recorded]) -> None:
    recorded = program("production")
    for name, pod in pods(recorded).items():
        for container in pod["containers"]:
            assert not {"HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE"} & variables(container).keys(), name
    assert "ca-bundle" not in {one.object_name for one in recorded.of("ConfigMap")}
