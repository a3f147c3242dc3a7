"""The Grafana server: its objects, its configuration, and a password that stays."""

import configparser
from collections.abc import Callable

import pytest

from components import grafana_config
from components.grafana import Grafana, GrafanaArgs
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
SMTP = grafana_config.Smtp(smarthost="smtp.example.com:587", sender="g@example.com", username="me", require_tls=True)


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
    assert "env" not in container, "no secret in the environment"
    assert recorded.of("PodDisruptionBudget") == []
    assert recorded.outputs["grafana"] == {"url": "http://grafana.home.svc:3000"}


def test_it_talks_to_its_backends_and_https_only(engine: Engine, preview: bool) -> None:
    policy = engine(lambda: Grafana("grafana", ARGS), preview=preview).one("NetworkPolicy", "grafana")
    ports = [[port["port"] for port in rule.get("ports", [])] for rule in policy.inputs["spec"]["egress"]]
    assert ports == [[9090], [3100], [16686], [9093], [443], []]
    (rule,) = policy.inputs["spec"]["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 3000}]
    assert len(rule["from"]) == 2


def test_mail_has_its_port_and_a_password_that_is_a_file(engine: Engine, preview: bool) -> None:
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


def test_password_is_secret_and_what_the_api_server_has(engine: Engine, preview: bool) -> None:
    auths: list[str] = []

    def program() -> None:
        server = Grafana("grafana", ARGS)
        server.auth.apply(auths.append)

    recorded = engine(program, preview=preview)
    (secret,) = recorded.of("Secret")
    assert secret.secret_inputs == {"stringData"}
    texts = secret.inputs["stringData"]
    # What the API server holds is not known in a preview.
    assert auths == ([] if preview else [f"admin:{texts['password']}"])
    assert len(texts["password"]) > 40
    assert texts["password"] != texts["secret-key"]


@pytest.mark.parametrize(("url", "secure"), [("http://localhost:3000", "false"), ("https://g.example.com/", "true")])
def test_ini_is_closed_to_strangers_and_silent(url: str, secure: str) -> None:
    ini = configparser.RawConfigParser()
    ini.read_string(grafana_config.ini(external_url=url, port=3000))
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
