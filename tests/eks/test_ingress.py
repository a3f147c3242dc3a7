"""The load balancer: what its controller is told in both kinds of cluster, the way to the pods, and the order."""

import json
from collections.abc import Callable
from typing import Any

import pulumi
import pytest

from components.eks import ingress_annotations
from components.eks.ingress import Ingress, IngressArgs
from components.eks.login import Login
from components.grafana import server
from components.metrics import alertmanager, prometheus
from components.traces import jaeger
from settings.eks.load_balancer import own_annotations
from settings.pages import Page
from tests.eks.test_login import OIDC
from tests.mock_engine import Recorded, Registration
from tools.recording.aws import HOSTNAME

Engine = Callable[..., Recorded]
ARN = "arn:aws:acm:eu-central-1:123456789012:certificate/one"
PREFIX = "alb.ingress.kubernetes.io/"
PORTS: dict[Page, int] = {
    "grafana": server.PORT,
    "prometheus": prometheus.PORT,
    "alertmanager": alertmanager.PORT,
    "jaeger": jaeger.PORT,
}
HOSTS: dict[Page, str] = {app: f"{app}.staging.example.com" for app in PORTS}


def _args(login: Login, auto_mode: bool, changes: dict[str, Any]) -> IngressArgs:
    args: IngressArgs = {
        "namespace": "home",
        "hosts": HOSTS,
        "ports": PORTS,
        "scheme": "internal",
        "ingress_class": "alb",
        "auto_mode": auto_mode,
        "certificate_arn": ARN,
        "login": login,
        "subnet_ids": [],
        "allowed_cidrs": ["10.0.0.0/8", "192.168.0.0/16"],
        "load_balancer_cidrs": ["10.1.0.0/20", "10.1.16.0/20"],
        "protect": True,
        "annotations": {},
        "attributes": {},
        "tags": {"owner": "team-platform", "stack": "staging"},
    }
    return {**args, **changes}  # pyright: ignore[reportReturnType]


def _run(
    engine: Engine, *, auto_mode: bool = False, preview: bool = False, **changes: Any
) -> tuple[Recorded, list[str]]:
    hostnames: list[str] = []

    def program() -> None:
        login = Login(
            "login",
            {"namespace": "home", "oidc": OIDC, "client_id": "me", "client_secret": "hush", "auto_mode": auto_mode},
        )
        made = Ingress("ingress", _args(login, auto_mode, changes), pulumi.ResourceOptions())
        made.hostname.apply(hostnames.append)

    return engine(program, preview=preview), hostnames


def _annotations(ingress: Registration) -> dict[str, str]:
    return {key.removeprefix(PREFIX): value for key, value in ingress.inputs["metadata"]["annotations"].items()}


def _ingresses(recorded: Recorded) -> dict[str, Registration]:
    found = [one for one in recorded.of("Ingress") if one.custom]
    return {one.object_name: one for one in found}


def test_every_app_has_a_host_and_all_share_one_load_balancer(engine: Engine, preview: bool) -> None:
    recorded, hostnames = _run(engine, preview=preview)
    ingresses = _ingresses(recorded)
    assert set(ingresses) == set(PORTS)
    for app, ingress in ingresses.items():
        assert ingress.namespace == "home"
        assert ingress.inputs["spec"]["ingressClassName"] == "alb"
        (rule,) = ingress.inputs["spec"]["rules"]
        assert rule["host"] == f"{app}.staging.example.com"
        assert rule["http"]["paths"][-1] == {
            "path": "/",
            "pathType": "Prefix",
            "backend": {"service": {"name": app, "port": {"number": PORTS[app]}}},
        }
    assert {_annotations(one)["group.name"] for one in ingresses.values()} == {"home"}
    assert hostnames == ([] if preview else [HOSTNAME])
    assert recorded.outputs["ingress"]["urls"] == {app: f"https://{host}" for app, host in HOSTS.items()}
    assert len(recorded.outputs["ingress"]["redirects"]) == len(HOSTS)


def test_what_concerns_the_load_balancer_is_the_same_on_every_ingress(engine: Engine) -> None:
    recorded, _ = _run(engine)
    for ingress in _ingresses(recorded).values():
        found = _annotations(ingress)
        assert found["scheme"] == "internal"
        assert json.loads(found["listen-ports"]) == [{"HTTP": 80}, {"HTTPS": 443}]
        assert found["ssl-redirect"] == "443"
        assert found["ssl-policy"] == "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"
        assert found["certificate-arn"] == ARN
        assert found["inbound-cidrs"] == "10.0.0.0/8,192.168.0.0/16"
        assert found["target-type"] == "ip"
        assert found["tags"] == "owner=team-platform,stack=staging"
        assert found["load-balancer-attributes"] == (
            "deletion_protection.enabled=true,routing.http.drop_invalid_header_fields.enabled=true"
        )


def test_whoever_has_no_login_of_its_own_gets_the_load_balancers(engine: Engine) -> None:
    ingresses = _ingresses(_run(engine)[0])
    assert {app: _annotations(one)["auth-type"] for app, one in ingresses.items()} == {
        "grafana": "none",
        "prometheus": "oidc",
        "alertmanager": "oidc",
        "jaeger": "oidc",
    }
    assert "hush" not in repr([one.inputs for one in ingresses.values()])


def test_grafanas_metrics_stay_inside(engine: Engine) -> None:
    ingress = _ingresses(_run(engine)[0])["grafana"]
    (rule,) = ingress.inputs["spec"]["rules"]
    assert rule["http"]["paths"][0] == {
        "path": "/metrics",
        "pathType": "Prefix",
        "backend": {"service": {"name": "grafana", "port": {"name": "use-annotation"}}},
    }
    assert json.loads(_annotations(ingress)["actions.grafana"])["fixedResponseConfig"]["statusCode"] == "404"


def test_health_is_asked_where_the_app_tells_it() -> None:
    paths = {app: ingress_annotations.target(app)[f"{PREFIX}healthcheck-path"] for app in PORTS}
    assert paths == {"grafana": "/api/health", "prometheus": "/-/ready", "alertmanager": "/-/ready", "jaeger": "/"}


def test_the_load_balancers_addresses_and_no_others_reach_the_pods(engine: Engine, preview: bool) -> None:
    recorded, _ = _run(engine, preview=preview)
    policies = {one.object_name: one.inputs["spec"] for one in recorded.of("NetworkPolicy")}
    assert policies == {
        f"{app}-load-balancer": {
            "podSelector": {"matchLabels": {"app.kubernetes.io/name": app}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {
                    "from": [{"ipBlock": {"cidr": "10.1.0.0/20"}}, {"ipBlock": {"cidr": "10.1.16.0/20"}}],
                    "ports": [{"protocol": "TCP", "port": port}],
                }
            ],
            "egress": [],
        }
        for app, port in PORTS.items()
    }


@pytest.mark.parametrize("auto_mode", [False, True])
def test_it_comes_after_login_and_way_in_and_goes_before_them(engine: Engine, auto_mode: bool, preview: bool) -> None:
    recorded, _ = _run(engine, auto_mode=auto_mode, preview=preview)
    needed = {"login-client", "login-reader", "login-reader-binding", *(f"ingress-{app}-network" for app in PORTS)}
    for ingress in _ingresses(recorded).values():
        assert needed <= ingress.dependencies
        assert ("ingress-class" in ingress.dependencies) == auto_mode


def test_auto_mode_is_told_by_its_class(engine: Engine, preview: bool) -> None:
    recorded, _ = _run(engine, auto_mode=True, preview=preview)
    (parameters,) = recorded.of("IngressClassParams")
    assert parameters.type == "kubernetes:eks.amazonaws.com/v1:IngressClassParams"
    assert parameters.object_name == "alb"
    assert parameters.inputs["spec"] == {
        "scheme": "internal",
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "home"}},
        "group": {"name": "home"},
        "certificateARNs": [ARN],
        "loadBalancerAttributes": [
            {"key": "deletion_protection.enabled", "value": "true"},
            {"key": "routing.http.drop_invalid_header_fields.enabled", "value": "true"},
        ],
    }
    (ingress_class,) = recorded.of("IngressClass")
    assert ingress_class.dependencies == {"ingress-class-params"}
    assert ingress_class.inputs["spec"] == {
        "controller": "eks.amazonaws.com/alb",
        "parameters": {"apiGroup": "eks.amazonaws.com", "kind": "IngressClassParams", "name": "alb"},
    }
    for ingress in _ingresses(recorded).values():
        found = _annotations(ingress)
        refused = {"group.name", "certificate-arn", "scheme", "load-balancer-attributes", "tags"}
        assert not refused & set(found)
        assert found["inbound-cidrs"] == "10.0.0.0/8,192.168.0.0/16"


def test_the_load_balancer_is_in_the_subnets_of_the_settings(engine: Engine) -> None:
    subnets = ["subnet-0aaaaaaa", "subnet-0bbbbbbb"]
    recorded, _ = _run(engine, subnet_ids=subnets)
    assert {_annotations(one)["subnets"] for one in _ingresses(recorded).values()} == {",".join(subnets)}


def test_in_auto_mode_its_class_names_the_subnets(engine: Engine) -> None:
    recorded, _ = _run(engine, auto_mode=True, subnet_ids=["subnet-0aaaaaaa"])
    assert recorded.of("IngressClassParams")[0].inputs["spec"]["subnets"] == {"ids": ["subnet-0aaaaaaa"]}


def test_without_protection_it_is_said_to_be_off(engine: Engine) -> None:
    ingresses = _ingresses(_run(engine, protect=False)[0])
    for ingress in ingresses.values():
        assert _annotations(ingress)["load-balancer-attributes"].startswith("deletion_protection.enabled=false,")


def test_no_address_is_a_clear_error(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.recording.aws.answers", lambda _: {})
    with pytest.raises(pulumi.RunError, match="The load balancer has no address"):
        _run(engine)


@pytest.mark.parametrize("protect", [False, True])
def test_hosts_of_a_protected_load_balancer_stay(engine: Engine, protect: bool, preview: bool) -> None:
    recorded, _ = _run(engine, protect=protect, preview=preview)
    assert {one.protect for one in _ingresses(recorded).values()} == {protect}
    assert not any(one.protect for one in recorded.of("NetworkPolicy"))


def test_annotations_of_the_settings_reach_the_controller(engine: Engine) -> None:
    recorded, _ = _run(engine, annotations={f"{PREFIX}wafv2-acl-arn": "arn:aws:wafv2:acl"})
    assert {_annotations(one)["wafv2-acl-arn"] for one in _ingresses(recorded).values()} == {"arn:aws:wafv2:acl"}


@pytest.mark.parametrize("auto_mode", [False, True])
def test_attributes_of_the_settings_reach_the_controller(engine: Engine, auto_mode: bool) -> None:
    name = "idle_timeout.timeout_seconds"
    recorded, _ = _run(engine, auto_mode=auto_mode, attributes={name: "120"})
    if auto_mode:
        (parameters,) = recorded.of("IngressClassParams")
        assert {"key": name, "value": "120"} in parameters.inputs["spec"]["loadBalancerAttributes"]
    else:
        ends = {_annotations(one)["load-balancer-attributes"].split(",")[-1] for one in _ingresses(recorded).values()}
        assert ends == {f"{name}=120"}


@pytest.mark.parametrize("auto_mode", [False, True])
def test_settings_may_not_set_what_the_program_sets(engine: Engine, auto_mode: bool) -> None:
    recorded, _ = _run(engine, auto_mode=auto_mode, subnet_ids=["subnet-0aaaaaaa"])
    for ingress in _ingresses(recorded).values():
        names = ingress.inputs["metadata"]["annotations"].keys()
        assert set(own_annotations(names)) == names
    assert own_annotations([f"{PREFIX}wafv2-acl-arn", "example.com/scheme"]) == []
