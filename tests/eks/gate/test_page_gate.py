"""With groups in the settings, the load balancer reaches the pages that know none by the gate only."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from settings import stack as settings
from tests.eks.account import values_of
from tests.mock_engine import SECRETS, Recorded, stack_config

Program = Callable[..., Recorded]
GROUPS = {"grafanaViewerGroup": "viewers", "grafanaEditorGroup": "oncall"}
ADMINS = "team-observability"
"""The group of the stack's file."""
BEHIND = {"prometheus": 9090, "alertmanager": 9093, "jaeger": 16686}


def backends(recorded: Recorded) -> dict[str | None, tuple[str, int]]:
    """Page -> Service and port to which the load balancer sends what is below /."""
    found: dict[str | None, tuple[str, int]] = {}
    for one in recorded.of("Ingress"):
        if one.custom:
            service = one.inputs["spec"]["rules"][0]["http"]["paths"][-1]["backend"]["service"]
            found[one.object_name] = service["name"], service["port"]["number"]
    return found


def variables(recorded: Recorded) -> dict[str, Any]:
    pod = recorded.one("Deployment", "page-gate").inputs["spec"]["template"]["spec"]
    return {one["name"]: one["value"] for one in pod["containers"][0]["env"]}


def from_load_balancer(recorded: Recorded) -> set[tuple[str, int]]:
    """(app, port) of the pods that the load balancer's addresses reach."""
    return {
        (one.inputs["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/name"], port["port"])
        for one in recorded.of("NetworkPolicy")
        for rule in one.inputs["spec"].get("ingress", [])
        for port in rule.get("ports", [])
        if any("ipBlock" in peer for peer in rule.get("from", []))
    }


def test_the_load_balancer_reaches_pages_by_the_gate_alone(program: Program) -> None:
    recorded = program("production")
    found = backends(recorded)
    assert found.pop("grafana") == ("grafana", 3000)
    assert found.keys() == BEHIND.keys()
    ports = {page["name"]: page["port"] for page in recorded.one("Service", "page-gate").inputs["spec"]["ports"]}
    assert found == {page: ("page-gate", ports[page]) for page in BEHIND}
    assert from_load_balancer(recorded) == {("grafana", 3000), *(("page-gate", port) for port in ports.values())}
    pages = json.loads(variables(recorded)["PAGES"])
    assert {page: one["port"] for page, one in pages.items()} == ports
    for page, port in BEHIND.items():
        assert {int(target.rpartition(":")[2]) for target in pages[page]["targets"]} == {port}
        (rule,) = recorded.one("NetworkPolicy", f"{page}-page-gate").inputs["spec"]["ingress"]
        assert rule["from"] == [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "page-gate"}}}]
        assert [one["port"] for one in rule["ports"]] == [port]
    for one in recorded.of("Ingress"):
        if one.custom and one.object_name in BEHIND:
            assert one.inputs["metadata"]["annotations"]["alb.ingress.kubernetes.io/healthcheck-path"] == "/healthz"


def test_the_gate_knows_replicas_issuer_and_groups(program: Program) -> None:
    found = variables(program("production"))
    pages = json.loads(found["PAGES"])
    # Each has data of its own.
    assert pages["prometheus"]["targets"] == [
        f"prometheus-{number}.prometheus-peers.observability.svc:9090" for number in (0, 1)
    ]
    assert pages["jaeger"]["targets"] == ["jaeger.observability.svc:16686"]
    assert (json.loads(found["VIEWERS"]), json.loads(found["EDITORS"])) == ([], [ADMINS])
    assert found["USER_INFO"] == "https://login.example.com/oauth2/userinfo"


@pytest.mark.parametrize(
    ("changes", "viewers", "editors", "gated"),
    [
        ({}, [], [ADMINS], [*BEHIND]),
        (GROUPS, ["viewers", "oncall", ADMINS], ["oncall", ADMINS], [*BEHIND]),
        (GROUPS | {"grafanaAdminGroup": "", "grafanaEditorGroup": ""}, ["viewers"], [], [*BEHIND]),
        ({"grafanaAdminGroup": ""}, [], [], []),
        (GROUPS | {"ingressPages": '["grafana"]'}, ["viewers", "oncall", ADMINS], ["oncall", ADMINS], []),
        (
            GROUPS | {"ingressPages": '["jaeger", "grafana"]'},
            ["viewers", "oncall", ADMINS],
            ["oncall", ADMINS],
            ["jaeger"],
        ),
    ],
)
def test_the_groups_are_those_of_grafanas_roles(
    changes: dict[str, str], viewers: list[str], editors: list[str], gated: list[str]
) -> None:
    values = values_of("staging", **changes)
    assert (values.viewer_groups, values.editor_groups, values.gated_pages) == (viewers, editors, gated)


def test_an_ingress_of_others_serves_a_group_of_viewers_grafana_alone() -> None:
    example = {
        "ingress": "controller",
        "ingressClass": "nginx",
        "loginAnnotations": '{"a": "b"}',
        "domain": "example.com",
        "grafanaViewerGroup": "viewers",
        **{f"oidc{name}Endpoint": "https://login.example.com" for name in ("Authorization", "Token", "UserInfo")},
        "oidcClientId": "me",
    }
    with pytest.raises(settings.SettingsError) as error:
        settings.parse(stack_config("local") | example, [*SECRETS, "oidcClientSecret"])
    assert [line.split(": ")[0] for line in error.value.problems] == ["observability:ingressPages"]
