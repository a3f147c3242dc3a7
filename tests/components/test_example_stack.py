"""The stack file that people copy for a cluster that is not EKS, run as a program."""

from collections.abc import Callable

import pytest

from settings.pages import PAGES
from tests.mock_engine import Recorded

SECRETS = {"oidcClientSecret": "hush-client", "smtpPassword": "hush-mail"}
LOGIN = "nginx.ingress.kubernetes.io/auth-url"


@pytest.mark.parametrize("preview", [True, False])
def test_every_page_has_a_host_a_certificate_and_a_login(program: Callable[..., Recorded], preview: bool) -> None:
    recorded = program("example", preview=preview, **SECRETS)
    pages = {one.inputs["metadata"]["name"]: one for one in recorded.of("Ingress") if one.custom}
    assert pages.keys() == PAGES.keys()
    for name, page in pages.items():
        host = f"{name}.observability.example.com"
        spec, annotations = page.inputs["spec"], page.inputs["metadata"]["annotations"]
        assert spec["ingressClassName"] == "nginx"
        assert spec["tls"] == [{"hosts": [host], "secretName": f"{name}-tls"}]
        (rule,) = spec["rules"]
        (path,) = rule["http"]["paths"]
        assert rule["host"] == host
        assert path["backend"] == {"service": {"name": name, "port": {"number": PAGES[name].port}}}
        assert annotations["cert-manager.io/cluster-issuer"] == "letsencrypt"
        assert (LOGIN in annotations) == (name != "grafana"), "Grafana logs people in itself"
        assert page.protect
    assert not [one for one in recorded.resources if one.type.startswith("aws:")]


def test_grafana_logs_people_in_and_its_content_waits_for_its_host(program: Callable[..., Recorded]) -> None:
    recorded = program("example", **SECRETS)
    (configuration,) = [
        one.inputs["data"]["grafana.ini"]
        for one in recorded.of("ConfigMap")
        if "grafana.ini" in one.inputs.get("data", {})
    ]
    assert "auth_url = https://login.example.com/oauth2/authorize" in configuration
    assert "root_url = https://grafana.observability.example.com/" in configuration
    (provider,) = [one for one in recorded.resources if one.type == "pulumi:providers:grafana"]
    assert "pages-grafana" in provider.dependencies


def test_every_volume_is_of_the_chosen_class(program: Callable[..., Recorded]) -> None:
    recorded = program("example", **SECRETS)
    claims = [one.inputs["spec"] for one in recorded.of("PersistentVolumeClaim")]
    for stateful in recorded.of("StatefulSet"):
        claims += [claim["spec"] for claim in stateful.inputs["spec"].get("volumeClaimTemplates", [])]
    assert len(claims) > 3
    assert {claim["storageClassName"] for claim in claims} == {"standard-retain"}
