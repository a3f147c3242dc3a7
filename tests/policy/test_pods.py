"""Policy rules on pods: one table per rule, with pods that it accepts and pods that it refuses."""

from typing import Any

import pytest

from policy import plain_secrets, pods
from policy.resource import UNKNOWN
from tests.policy.judged import deployment, judged, kubernetes

GOOD = deployment()
SECURITY: dict[str, Any] = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
RESOURCES: dict[str, Any] = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}}
DIGEST = "registry.example.com/app@sha256:" + "0123456789abcdef" * 4


def security(**changes: Any) -> dict[str, Any]:
    return {"securityContext": {**SECURITY, **changes}}


@pytest.mark.parametrize("rule", [rule.name for rule in (*pods.RULES, *plain_secrets.RULES)])
def test_a_valid_pod_breaks_no_rule(rule: str) -> None:
    assert judged(rule, GOOD) == []


@pytest.mark.parametrize(
    ("pod", "problem"),
    [
        ({"hostNetwork": True}, "hostNetwork is true; allowed: false"),
        ({"hostPID": True}, "hostPID is true; allowed: false"),
        ({"hostIPC": True}, "hostIPC is true; allowed: false"),
        (
            {"volumes": [{"name": "run", "hostPath": {"path": "/run"}}]},
            "hostPath /run; allowed: the pod's own volumes",
        ),
        (
            {"containers": [{"name": "app", "ports": [{"containerPort": 80, "hostPort": 80}]}]},
            "container app: hostPort 80; allowed: none, use a Service",
        ),
    ],
)
def test_pods_use_nothing_of_their_node(pod: dict[str, Any], problem: str) -> None:
    assert judged("pod-host", deployment(**pod)) == [problem]


def test_an_unknown_path_is_not_judged_in_a_preview() -> None:
    assert judged("pod-host", deployment(volumes=[{"name": "a", "hostPath": {"path": UNKNOWN}}])) == []


def test_a_pods_own_volumes_are_accepted() -> None:
    assert judged("pod-host", deployment(hostNetwork=False, volumes=[{"name": "a", "emptyDir": {}}])) == []


@pytest.mark.parametrize(
    ("container", "pod", "problems"),
    [
        ({}, {"securityContext": {}}, ["container app: runAsNonRoot is not true"]),
        (security(runAsNonRoot=False), {}, ["container app: runAsNonRoot is not true"]),
        (security(runAsUser=0), {}, ["container app: runAsUser is 0; allowed: any other"]),
        (security(runAsNonRoot=True, runAsUser=1000), {"securityContext": {"runAsUser": 0}}, []),
        (security(runAsNonRoot=UNKNOWN), {"securityContext": {}}, []),
    ],
)
def test_pods_do_not_run_as_root(container: dict[str, Any], pod: dict[str, Any], problems: list[str]) -> None:
    assert judged("pod-non-root", deployment(container, **pod)) == problems


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"privileged": True}, "privileged is true"),
        ({"allowPrivilegeEscalation": True}, "allowPrivilegeEscalation is not false"),
        ({"allowPrivilegeEscalation": None}, "allowPrivilegeEscalation is not false"),
        ({"readOnlyRootFilesystem": False}, "readOnlyRootFilesystem is not true"),
        ({"capabilities": {"drop": ["NET_RAW"]}}, "capabilities.drop lacks ALL"),
        ({"capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]}}, "capabilities.add has SYS_ADMIN; allowed: none"),
        (
            {"seccompProfile": {"type": "Unconfined"}},
            "seccompProfile is Unconfined; allowed: RuntimeDefault, Localhost",
        ),
    ],
)
def test_containers_cannot_gain_privileges(changes: dict[str, Any], problem: str) -> None:
    assert judged("pod-hardened", deployment(security(**changes))) == [f"container app: {problem}"]


def test_a_container_without_a_security_context_breaks_the_whole_rule() -> None:
    assert judged("pod-hardened", deployment({"securityContext": None})) == [
        "container app: allowPrivilegeEscalation is not false",
        "container app: readOnlyRootFilesystem is not true",
        "container app: capabilities.drop lacks ALL",
    ]


@pytest.mark.parametrize("missing", ["requests.cpu", "requests.memory", "limits.memory"])
def test_every_container_sets_its_resources(missing: str) -> None:
    part, key = missing.split(".")
    less = {**RESOURCES, part: {name: value for name, value in RESOURCES[part].items() if name != key}}
    problem = f"container app: resources.{missing} is not set"
    assert judged("container-resources", deployment({"resources": less})) == [problem]


def test_init_containers_are_judged_too() -> None:
    pod = deployment(initContainers=[{"name": "first", "image": "app:latest", "resources": RESOURCES}])
    assert judged("container-resources", pod) == []
    assert judged("image-pinned", pod) == [
        "container first: image 'app:latest'; allowed: a release as tag, or a digest"
    ]


@pytest.mark.parametrize(
    ("image", "fine"),
    [
        ("registry.example.com/app:1.2.3", True),
        ("app:v1.2.3", True),
        ("app:v1.2", False),
        ("app:2026-11-28", True),
        (DIGEST, True),
        ("app:1.2.3@sha256:" + "0" * 64, True),
        (UNKNOWN, True),
        ("app", False),
        ("app:latest", False),
        ("app:stable", False),
        ("registry.example.com:5000/app", False),
        ("app@sha256:12ab", False),
        ("", False),
        (None, False),
    ],
)
def test_images_are_pinned_to_a_release(image: Any, fine: bool) -> None:
    assert (judged("image-pinned", deployment({"image": image})) == []) is fine


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("apps/v1:StatefulSet", ["spec", "template"]),
        ("apps/v1:DaemonSet", ["spec", "template"]),
        ("batch/v1:Job", ["spec", "template"]),
        ("batch/v1:CronJob", ["spec", "jobTemplate", "spec", "template"]),
        ("core/v1:Pod", []),
    ],
)
def test_every_kind_with_a_pod_template_is_judged(kind: str, path: list[str]) -> None:
    props: dict[str, Any] = {"spec": {"hostNetwork": True}}
    for key in reversed(path):
        props = {key: props}
    assert judged("pod-host", kubernetes(kind, props)) == ["hostNetwork is true; allowed: false"]


def test_an_unknown_pod_is_not_judged_in_a_preview() -> None:
    for rule in pods.RULES:
        assert judged(rule.name, kubernetes("apps/v1:Deployment", {"spec": UNKNOWN})) == []


@pytest.mark.parametrize(
    ("container", "problem"),
    [
        (
            {"env": [{"name": "DB_PASSWORD", "value": "hush"}]},
            "env DB_PASSWORD has a literal value; allowed: secretKeyRef, or a file",
        ),
        (
            {"env": [{"name": "DATABASE", "value": "https://user:hush@db.example.com"}]},
            "env DATABASE has a login inside a URL; allowed: secretKeyRef, or a file",
        ),
        ({"args": ["--key=AKIAIOSFODNN7EXAMPLE"]}, "an argument has an AWS access key"),
    ],
)
def test_no_secret_in_a_pod(container: dict[str, Any], problem: str) -> None:
    assert judged("pod-no-secret", deployment(container)) == [f"container app: {problem}"]


@pytest.mark.parametrize(
    "variable",
    [
        {"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}},
        {"name": "DB_PASSWORD_FILE", "value": "/etc/db/password"},
        {"name": "GF_SECURITY_ADMIN_PASSWORD", "value": "$__file{/etc/secret}"},
        {"name": "GOMEMLIMIT", "value": "100MiB"},
        {"name": "TOKEN", "value": ""},
    ],
)
def test_references_to_secrets_are_accepted(variable: dict[str, Any]) -> None:
    assert judged("pod-no-secret", deployment({"env": [variable]})) == []


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("url: https://hooks.slack.com/services/T0/B0/hush", "a Slack webhook"),
        ("-----BEGIN RSA PRIVATE KEY-----\nhush", "a private key"),
        ("routing_key: " + "0123456789abcdef" * 2, "a PagerDuty key"),
        ("[security]\nadmin_password = hush-hush", "a literal password or token"),
        ('{\n  "client_secret": "hush-hush"}', "a literal password or token"),
    ],
)
def test_no_secret_in_a_config_map(text: str, shape: str) -> None:
    (problem,) = judged("config-map-no-secret", kubernetes("core/v1:ConfigMap", {"data": {"app.yaml": text}}))
    assert problem == f"data[app.yaml] has {shape}; allowed: a Secret"
    assert "hush" not in problem


@pytest.mark.parametrize(
    "text",
    [
        "password_file: /etc/secret/password",
        "admin_password = $__file{/etc/grafana/admin}",
        "api_key: ${env:KEY}",
        "routing_key: <secret>",
        "routing_key: traceID",
        "token: true",
        "client_secret:\n  from: file",
        "password:",
        "expr: rate(auth_token_requests_total[5m])",
        "url: https://example.com/path:with@signs",
    ],
)
def test_text_that_only_mentions_secrets_is_accepted(text: str) -> None:
    assert judged("config-map-no-secret", kubernetes("core/v1:ConfigMap", {"data": {"app.yaml": text}})) == []


def test_a_value_from_a_secret_setting_is_found_whatever_it_contains() -> None:
    config_map = kubernetes("core/v1:ConfigMap", {"data": {"a": "plain"}}, secret=frozenset({"data"}))
    assert judged("config-map-no-secret", config_map) == ["data is derived from a secret; allowed: a Secret"]
