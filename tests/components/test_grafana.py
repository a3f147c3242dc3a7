"""The Grafana server: its objects, its configuration, its login, and its secrets."""

import configparser
import dataclasses
from collections.abc import Callable
from typing import Any

import jmespath
import pytest
from pydantic import ValidationError

from components.grafana import server_config
from components.grafana.secrets import OAuthClient
from components.grafana.server import Grafana, GrafanaArgs
from components.kubernetes.checksum import ANNOTATION, checksum
from settings.eks.values import EksValues
from tests.mock_engine import Recorded

Engine = Callable[..., Recorded]
ARGS: GrafanaArgs = {
    "namespace": "home",
    "storage": "1Gi",
    "storage_class": None,
    "memory": "512Mi",
    "external_url": "http://localhost:3000",
    "protect": True,
    "prometheus": "prometheus",
    "backends": {"prometheus": 9090, "loki": 3100, "jaeger": 16686, "alertmanager": 9093},
    "smtp": None,
    "smtp_password": "",
    "smtp_port": None,
}
OAUTH = server_config.OAuth(
    authorization_endpoint="https://id.example.com/authorize",
    token_endpoint="https://id.example.com:8443/token",
    user_info_endpoint="https://id.example.com/userinfo",
    admin_group="Platform Admins",
)
SMTP = server_config.Smtp(smarthost="smtp.example.com:587", sender="g@example.com", username="me", require_tls=True)


def test_one_server_that_meets_the_restricted_standard(engine: Engine, preview: bool) -> None:
    recorded = engine(lambda: Grafana("grafana", ARGS), preview=preview)
    deployment = recorded.one("Deployment", "grafana")
    assert deployment.inputs["spec"]["replicas"] == 1
    assert deployment.inputs["spec"]["strategy"] == {"type": "Recreate"}
    assert deployment.dependencies >= {"grafana-admin", "grafana-config", "grafana-data"}
    assert deployment.pod
    spec = deployment.pod["spec"]
    assert spec["securityContext"]["runAsUser"] == 472
    assert spec["automountServiceAccountToken"] is False
    (container,) = spec["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")} == {
        "/var/lib/grafana",
        "/var/log/grafana",
        "/tmp",  # noqa: S108 (a volume)
    }
    assert "env" not in container, "secrets must not be in the environment"
    assert recorded.of("PodDisruptionBudget") == []
    assert recorded.outputs["grafana"] == {"url": "http://grafana.home.svc:3000"}


def test_grafana_reaches_only_its_backends_and_https(engine: Engine, preview: bool) -> None:
    policy = engine(lambda: Grafana("grafana", ARGS), preview=preview).one("NetworkPolicy", "grafana")
    ports = [[port["port"] for port in rule.get("ports", [])] for rule in policy.inputs["spec"]["egress"]]
    assert ports == [[9090], [3100], [16686], [9093], [443], []]
    (rule,) = policy.inputs["spec"]["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 3000}]
    assert len(rule["from"]) == 2


def test_mail_opens_its_port_and_reads_its_password_from_a_file(engine: Engine, preview: bool) -> None:
    args: GrafanaArgs = {**ARGS, "smtp": SMTP, "smtp_password": "hush", "smtp_port": 587}
    recorded = engine(lambda: Grafana("grafana", args), preview=preview)
    ini = configparser.RawConfigParser()
    ini.read_string(recorded.one("ConfigMap", "grafana-config").inputs["data"]["grafana.ini"])
    assert dict(ini["smtp"]) == {
        "enabled": "true",
        "host": "smtp.example.com:587",
        "from_address": "g@example.com",
        "from_name": "Grafana",
        "starttls_policy": "MandatoryStartTLS",
        "user": "me",
        "password": "$__file{/etc/grafana-smtp/password}",
    }
    secret = recorded.one("Secret", "grafana-smtp")
    assert secret.secret_inputs == {"stringData"}
    deployment = recorded.one("Deployment", "grafana")
    assert "hush" not in repr(deployment.inputs)
    assert deployment.dependencies >= {"grafana-smtp"}
    assert deployment.pod
    (container,) = deployment.pod["spec"]["containers"]
    assert {"name": "smtp", "mountPath": "/etc/grafana-smtp", "readOnly": True} in container["volumeMounts"]
    egress = recorded.one("NetworkPolicy", "grafana").inputs["spec"]["egress"]
    assert [rule["ports"] for rule in egress if "to" not in rule] == [
        [{"protocol": "TCP", "port": 443}],
        [{"protocol": "TCP", "port": 587}],
    ]


def test_people_log_in_at_the_issuer_and_the_client_secret_is_a_file(engine: Engine, preview: bool) -> None:
    client: OAuthClient = {"issuer": OAUTH, "client_id": "my-client", "client_secret": "hush"}
    args: GrafanaArgs = {**ARGS, "external_url": "https://g.example.com", "oauth": client}
    recorded = engine(lambda: Grafana("grafana", args), preview=preview)
    ini = configparser.RawConfigParser()
    ini.read_string(recorded.one("ConfigMap", "grafana-config").inputs["data"]["grafana.ini"])
    assert dict(ini["auth.generic_oauth"]) == {
        "enabled": "true",
        "name": "Single sign-on",
        "client_id": "$__file{/etc/grafana-oauth/client-id}",
        "client_secret": "$__file{/etc/grafana-oauth/client-secret}",
        "scopes": "openid profile email",
        "auth_url": "https://id.example.com/authorize",
        "token_url": "https://id.example.com:8443/token",
        "api_url": "https://id.example.com/userinfo",
        "use_pkce": "true",
        "allow_sign_up": "true",
        "role_attribute_path": ini["auth.generic_oauth"]["role_attribute_path"],
        "role_attribute_strict": "true",
        "allow_assign_grafana_admin": "false",
    }
    assert dict(ini["auth"]) == {"disable_login_form": "true", "login_maximum_lifetime_duration": "12h"}
    assert ini["auth.basic"]["enabled"] == "true", "the program itself uses basic authentication"
    assert ini["security"]["cookie_secure"] == ini["security"]["strict_transport_security"] == "true"
    secret = recorded.one("Secret", "grafana-oauth")
    assert secret.inputs["stringData"] == {"client-id": "my-client", "client-secret": "hush"}
    assert secret.secret_inputs == {"stringData"}
    deployment = recorded.one("Deployment", "grafana")
    assert "hush" not in repr([one.inputs for one in recorded.resources if one is not secret])
    assert deployment.dependencies >= {"grafana-oauth"}
    assert deployment.pod
    (container,) = deployment.pod["spec"]["containers"]
    assert {"name": "oauth", "mountPath": "/etc/grafana-oauth", "readOnly": True} in container["volumeMounts"]
    assert {"name": "oauth", "secret": {"secretName": "grafana-oauth", "defaultMode": 0o440}} in deployment.pod["spec"][
        "volumes"
    ]
    egress = recorded.one("NetworkPolicy", "grafana").inputs["spec"]["egress"]
    (outside,) = [rule["ports"] for rule in egress if "to" not in rule]
    assert outside == [{"protocol": "TCP", "port": 443}, {"protocol": "TCP", "port": 8443}]


def test_a_changed_client_restarts_grafana(engine: Engine) -> None:
    read: list[str] = []
    text = server_config.ini(external_url=ARGS["external_url"], port=3000, oauth=OAUTH)

    def program() -> None:
        client: OAuthClient = {"issuer": OAUTH, "client_id": "my-client", "client_secret": "hush"}
        Grafana("grafana", {**ARGS, "oauth": client})
        checksum(f"{text}my-clienthush", salt="grafana").apply(read.append)

    (deployment,) = engine(program).of("Deployment")
    assert deployment.pod
    assert read == [deployment.pod["metadata"]["annotations"][ANNOTATION]]


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"groups": ["Platform Admins", "others"], "sub": "me"}, "Admin"),
        ({"cognito:groups": ["Platform Admins"], "sub": "me", "exp": 1}, "Admin"),
        ({"groups": ["others"], "sub": "me"}, "Viewer"),
        ({"groups": ["No Platform Admins", "Platform Admins 2"], "sub": "me"}, "Viewer"),
        ({"groups": "No Platform Admins", "sub": "me"}, "Viewer"),
        ({"groups": [], "sub": "me"}, "Viewer"),
        ({"sub": "me"}, "Viewer"),
        # These are tokens, and documents that Grafana makes of the groups it found. Without a role here, Grafana reads
        # the user info next.
        ({"sub": "me", "exp": 1}, None),
        ({"groups": ["others"], "sub": "me", "exp": 1}, None),
        ({"groups": None}, None),
        ({"groups": []}, None),
    ],
)
def test_only_members_of_the_group_are_admins(claims: dict[str, object], role: str | None) -> None:
    ini = configparser.RawConfigParser()
    ini.read_string(server_config.ini(external_url="https://g.example.com", port=3000, oauth=OAUTH))
    assert (jmespath.search(ini["auth.generic_oauth"]["role_attribute_path"], claims) or None) == role


@pytest.mark.parametrize("group", ["Platform Admins", "CN=ops,OU=groups", "ops+oncall@example.com", ""])
def test_a_group_name_that_the_file_can_contain_is_accepted(group: str) -> None:
    with pytest.raises(ValidationError) as error:
        EksValues.model_validate({"grafanaAdminGroup": group})
    assert "grafanaAdminGroup" not in {item["loc"][0] for item in error.value.errors()}


@pytest.mark.parametrize("group", ["it's", 'a"b', "a`b", "a\\", "a#b", "a;b", "$__env{HOME}", "a\nb"])
def test_a_group_name_that_would_change_its_meaning_in_the_file_is_refused(group: str) -> None:
    with pytest.raises(ValidationError) as error:
        EksValues.model_validate({"grafanaAdminGroup": group})
    wrong = {item["loc"][0]: item["type"] for item in error.value.errors()}
    assert wrong["grafanaAdminGroup"] == "string_pattern_mismatch"


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"groups": ["admins"]}, "Admin"),
        ({"groups": ["oncall", "viewers"]}, "Editor"),
        ({"groups": ["viewers"]}, "Viewer"),
        ({"cognito:groups": ["viewers"]}, "Viewer"),
        # Strict mode refuses people without a role, whatever document names them.
        ({"sub": "x", "groups": ["somebody"]}, None),
        ({"sub": "x"}, None),
        ({"sub": "x", "exp": 1, "groups": "viewers of others"}, None),
    ],
)
def test_with_a_group_of_viewers_nobody_else_gets_in(claims: dict[str, Any], role: str | None) -> None:
    """Silencing is a right of editors: viewers only read alerts."""
    ini = configparser.RawConfigParser()
    issuer = dataclasses.replace(OAUTH, admin_group="admins", editor_group="oncall", viewer_group="viewers")
    ini.read_string(server_config.ini(external_url="https://g.example.com", port=3000, oauth=issuer))
    section = ini["auth.generic_oauth"]
    assert section["role_attribute_strict"] == "true"
    assert (jmespath.search(section["role_attribute_path"], claims) or None) == role


def test_without_a_group_nobody_is_admin() -> None:
    ini = configparser.RawConfigParser()
    issuer = dataclasses.replace(OAUTH, admin_group="")
    ini.read_string(server_config.ini(external_url="https://g.example.com", port=3000, oauth=issuer))
    assert jmespath.search(ini["auth.generic_oauth"]["role_attribute_path"], {"groups": [""]}) == "Viewer"


def test_without_an_issuer_people_use_the_login_form() -> None:
    ini = configparser.RawConfigParser()
    ini.read_string(server_config.ini(external_url="http://localhost:3000", port=3000))
    assert dict(ini["auth.generic_oauth"]) == {"enabled": "false"}
    assert dict(ini["auth"]) == {}


def test_password_is_secret_and_read_back_from_the_api_server(engine: Engine, preview: bool) -> None:
    auths: list[str] = []

    def program() -> None:
        server = Grafana("grafana", ARGS)
        server.auth.apply(auths.append)

    recorded = engine(program, preview=preview)
    (secret,) = recorded.of("Secret")
    assert secret.secret_inputs == {"stringData"}
    texts = secret.inputs["stringData"]
    # The content of the API server is unknown in a preview.
    assert auths == ([] if preview else [f"admin:{texts['password']}"])
    assert len(texts["password"]) > 40
    assert texts["password"] != texts["secret-key"]


@pytest.mark.parametrize(("url", "secure"), [("http://localhost:3000", "false"), ("https://g.example.com/", "true")])
def test_anonymous_access_and_reporting_are_off(url: str, secure: str) -> None:
    ini = configparser.RawConfigParser()
    ini.read_string(server_config.ini(external_url=url, port=3000))
    assert ini["server"]["root_url"] == url.rstrip("/") + "/"
    assert ini["security"]["cookie_secure"] == secure
    assert ini["security"]["admin_password"] == "$__file{/etc/grafana-secrets/password}"
    for section, key, value in (
        ("auth.anonymous", "enabled", "false"),
        ("analytics", "reporting_enabled", "false"),
        ("analytics", "check_for_updates", "false"),
        ("plugins", "preinstall_disabled", "true"),
        ("public_dashboards", "enabled", "false"),
        ("unified_alerting", "enabled", "true"),
        ("users", "allow_sign_up", "false"),
    ):
        assert ini[section][key] == value
