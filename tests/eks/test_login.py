"""Login at the load balancer: what stands in the Secret, who may read it, and what an Ingress says."""

import json
from collections.abc import Callable

import pytest

from components.eks.login import Login, Oidc, annotations, redirects
from tests.mock_engine import Recorded

Engine = Callable[..., Recorded]
OIDC = Oidc(
    issuer="https://id.example.com",
    authorization_endpoint="https://id.example.com/authorize",
    token_endpoint="https://id.example.com/token",
    user_info_endpoint="https://id.example.com/userinfo",
)


def _run(engine: Engine, *, auto_mode: bool, preview: bool) -> Recorded:
    def program() -> None:
        Login(
            "login",
            {
                "namespace": "home",
                "oidc": OIDC,
                "client_id": "platform",
                "client_secret": "hush",
                "auto_mode": auto_mode,
            },
        )

    return engine(program, preview=preview)


def test_client_is_secret_and_under_the_names_that_the_controller_reads(engine: Engine, preview: bool) -> None:
    recorded = _run(engine, auto_mode=False, preview=preview)
    secret = recorded.one("Secret", "oidc-client")
    assert secret.namespace == "home"
    assert secret.inputs["stringData"] == {"clientID": "platform", "clientSecret": "hush"}
    assert secret.secret_inputs == {"stringData"}
    others = [one for one in recorded.resources if one is not secret]
    assert "hush" not in repr([one.inputs for one in others])
    assert "hush" not in repr(recorded.outputs)


@pytest.mark.parametrize(
    ("auto_mode", "subject"),
    [
        (False, {"kind": "ServiceAccount", "name": "aws-load-balancer-controller", "namespace": "kube-system"}),
        (True, {"kind": "Group", "name": "eks:managed", "apiGroup": "rbac.authorization.k8s.io"}),
    ],
)
def test_the_controller_may_read_this_one_secret(
    engine: Engine, auto_mode: bool, subject: dict[str, str], preview: bool
) -> None:
    recorded = _run(engine, auto_mode=auto_mode, preview=preview)
    (role,) = recorded.of("Role")
    assert role.inputs["rules"] == [
        {
            "apiGroups": [""],
            "resources": ["secrets"],
            "resourceNames": ["oidc-client"],
            "verbs": ["get", "list", "watch"],
        }
    ]
    (binding,) = recorded.of("RoleBinding")
    assert binding.inputs["subjects"] == [subject]
    assert binding.inputs["roleRef"]["name"] == role.object_name
    assert role.namespace == binding.namespace == "home"
    assert recorded.of("ClusterRole") == []


def test_an_ingress_asks_the_issuer_and_tells_no_secret() -> None:
    found = annotations(OIDC)
    prefix = "alb.ingress.kubernetes.io/auth-"
    assert {key.removeprefix(prefix): value for key, value in found.items() if not key.endswith("idp-oidc")} == {
        "type": "oidc",
        "on-unauthenticated-request": "authenticate",
        "scope": "openid profile email",
        "session-timeout": "43200",
    }
    assert json.loads(found[f"{prefix}idp-oidc"]) == {
        "issuer": "https://id.example.com",
        "authorizationEndpoint": "https://id.example.com/authorize",
        "tokenEndpoint": "https://id.example.com/token",
        "userInfoEndpoint": "https://id.example.com/userinfo",
        "secretName": "oidc-client",
    }


def test_redirects_are_where_each_login_returns_to() -> None:
    assert redirects({"grafana": "grafana.example.com", "jaeger": "jaeger.example.com"}) == [
        "https://grafana.example.com/login/generic_oauth",
        "https://jaeger.example.com/oauth2/idpresponse",
    ]
