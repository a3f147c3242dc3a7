"""The check before the first resource, over real HTTP: the cluster must be reachable and suitable for this program."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.kubernetes.cluster_check import ClusterError, IngressClass, require_cluster, supported
from settings.versions import KUBERNETES
from tools.http_server import Handler, serving

Answer = tuple[int, Mapping[str, Any]]
Serve = Callable[..., Path]


LOGIN = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
CLASSES = "/apis/networking.k8s.io/v1/ingressclasses"
PLUGIN = "/api/v1/namespaces/kube-system/configmaps/amazon-vpc-cni"
GROUPS = "/apis/"
NOT_FOUND = (404, {"kind": "Status"})


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """`serve(git_version, {path: answer})` starts an API server and gives a kubeconfig for it."""
    with ExitStack() as servers:

        def start(git_version: str, changes: Mapping[str, Answer] | None = None) -> Path:
            major, minor = git_version.removeprefix("v").split(".")[:2]
            texts = dict.fromkeys(("gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler", "platform"), "x")
            answers: dict[str, Answer] = {
                "/version/": (200, texts | {"major": major, "minor": minor, "gitVersion": git_version}),
                LOGIN: (201, {"status": {"userInfo": {"username": "deploy"}}}),
                CLASSES: (403, {}),
                PLUGIN: NOT_FOUND,
                GROUPS: groups("apps"),
                **(changes or {}),
            }

            class ApiServer(Handler):
                def respond(self) -> None:
                    status, body = answers[self.path]
                    self.answer(status, json.dumps(body).encode())

            return kubeconfig(tmp_path, servers.enter_context(serving(ApiServer)))

        yield start


def groups(*names: str) -> Answer:
    version = {"groupVersion": "g/v1", "version": "v1"}
    return 200, {"kind": "APIGroupList", "groups": [{"name": name, "versions": [version]} for name in names]}


def classes(**controllers: str) -> Mapping[str, Answer]:
    items = [{"metadata": {"name": name}, "spec": {"controller": one}} for name, one in controllers.items()]
    return {CLASSES: (200, {"kind": "IngressClassList", "items": items})}


def kubeconfig(folder: Path, server: str) -> Path:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": "hush"}}],
        "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "one",
    }
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(document))
    return file


def refusal(
    file: Path, context: str | None = None, ingress_class: IngressClass | None = None, namespaces: Sequence[str] = ()
) -> str:
    with pytest.raises(ClusterError) as error:
        require_cluster(str(file), context, ingress_class, namespaces)
    text = str(error.value)
    assert str(file) in text
    assert "Nothing was changed." in text
    assert "hush" not in text
    return text


@pytest.mark.parametrize("version", [f"v{KUBERNETES}", "v1.32.0", "v1.36.9-eks-abc123"])
def test_accepts_supported_versions(serve: Serve, version: str) -> None:
    assert require_cluster(str(serve(version)), "one") == version


@pytest.mark.parametrize("version", ["v1.31.9", "v1.37.0", "v2.33.0"])
def test_refuses_other_versions(serve: Serve, version: str) -> None:
    text = refusal(serve(version))
    assert f"runs Kubernetes {version}; allowed: 1.32 <= version < 1.37" in text
    assert "http://127.0.0.1" in text


def test_refuses_an_unreachable_server(tmp_path: Path) -> None:
    text = refusal(kubeconfig(tmp_path, "https://127.0.0.1:1"), "one")
    assert "https://127.0.0.1:1" in text
    assert "context one" in text
    assert "Connection refused" in text


def test_refuses_a_server_that_returns_401(serve: Serve) -> None:
    assert "HTTP 401" in refusal(serve("v1.34.0", {"/version/": (401, {})}))


def test_refuses_a_server_that_only_answers_anonymous_requests(serve: Serve) -> None:
    assert "does not accept our login: HTTP 401" in refusal(serve("v1.34.0", {LOGIN: (401, {})}))


ALB = "ingress.k8s.aws/alb"
OF_AWS = IngressClass("alb", is_alb=True)
OF_ANY = IngressClass("nginx", is_alb=False)
NGINX = "k8s.io/ingress-nginx"


@pytest.mark.parametrize(("wanted", "controller"), [(OF_AWS, ALB), (OF_ANY, NGINX)])
def test_accepts_a_cluster_that_has_the_ingress_class(serve: Serve, wanted: IngressClass, controller: str) -> None:
    file = serve("v1.34.0", classes(**{wanted.name: controller}))
    assert require_cluster(str(file), "one", wanted) == "v1.34.0"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (classes(), 'has no ingress class "alb" (observability:ingressClass) of the AWS Load Balancer Controller'),
        (classes(), "; there are: none. "),
        (classes(nginx=NGINX, other=ALB), "nginx (k8s.io/ingress-nginx), other (ingress.k8s.aws/alb)"),
        (classes(alb=NGINX), "there are: alb (k8s.io/ingress-nginx). "),
        ({CLASSES: (403, {})}, "does not list its ingress classes: HTTP 403"),
    ],
)
def test_refuses_a_cluster_without_the_ingress_class(serve: Serve, changes: Mapping[str, Answer], message: str) -> None:
    assert message in refusal(serve("v1.34.0", changes), "one", OF_AWS)


def test_refuses_a_cluster_without_the_class_of_its_own_controller(serve: Serve) -> None:
    message = 'has no ingress class "nginx" (observability:ingressClass); there are: alb (ingress.k8s.aws/alb). '
    assert message in refusal(serve("v1.34.0", classes(alb=ALB)), "one", OF_ANY)


def namespace(name: str, **labels: str) -> Mapping[str, Answer]:
    body = {"kind": "Namespace", "metadata": {"name": name, "labels": labels or None}}
    return {f"/api/v1/namespaces/{name}": (200, body)}


def test_accepts_new_namespaces_and_its_own(serve: Serve) -> None:
    own = namespace("observability", **{"app.kubernetes.io/part-of": "observability"})
    missing = {"/api/v1/namespaces/media": NOT_FOUND}
    found = require_cluster(str(serve("v1.34.0", {**own, **missing})), "one", None, ["observability", "media"])
    assert found == "v1.34.0"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (namespace("media"), 'has a namespace "media" that this platform did not create'),
        (namespace("media", **{"app.kubernetes.io/part-of": "shop"}), "app.kubernetes.io/part-of=observability"),
        ({"/api/v1/namespaces/media": (403, {})}, "does not return its namespace media: HTTP 403"),
    ],
)
def test_refuses_to_take_over_a_namespace(serve: Serve, changes: Mapping[str, Answer], message: str) -> None:
    assert message in refusal(serve("v1.34.0", changes), "one", namespaces=["media"])


def plugin(switch: str | None) -> Answer:
    data = {"enable-network-policy-controller": switch} if switch else None
    return 200, {"kind": "ConfigMap", "metadata": {"name": "amazon-vpc-cni"}, "data": data}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        # Another network plugin. Whether it enforces policies is unknown.
        ({}, None),
        ({PLUGIN: plugin("true")}, None),
        (
            {PLUGIN: plugin("false")},
            "enable-network-policy-controller is 'false'",
        ),
        ({PLUGIN: plugin(None)}, "enable-network-policy-controller is None in ConfigMap kube-system/amazon-vpc-cni"),
        ({GROUPS: groups("apps", "eks.amazonaws.com")}, "it is in Auto Mode, and has no ConfigMap"),
        ({PLUGIN: (403, {})}, "it does not report its network plugin: HTTP 403"),
    ],
)
def test_warns_of_network_policies_that_are_not_enforced(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, changes: Mapping[str, Answer], message: str | None
) -> None:
    warnings: list[str] = []
    monkeypatch.setattr("pulumi.log.warn", warnings.append)
    require_cluster(str(serve("v1.34.0", changes)), "one")
    assert len(warnings) == (1 if message else 0)
    assert (message or "") in "".join(warnings)


def test_accepts_the_text_of_a_kubeconfig(serve: Serve) -> None:
    text = json.dumps(yaml.safe_load(serve("v1.34.0").read_text()))
    assert require_cluster(text, None) == "v1.34.0"


def test_refuses_a_text_without_showing_it() -> None:
    with pytest.raises(ClusterError) as error:
        require_cluster('{"users": [{"user": {"token": "hush"}}]}', None)
    assert "kubeconfig of the EKS cluster cannot be used" in str(error.value)
    assert "hush" not in str(error.value)


def test_refuses_an_unknown_context(serve: Serve) -> None:
    assert "context two" in refusal(serve("v1.34.0"), "two")


def test_refuses_a_missing_kubeconfig(tmp_path: Path) -> None:
    refusal(tmp_path / "absent")


@pytest.mark.parametrize("text", ["", "a: [", "hello", "[]", "clusters: 3"])
def test_refuses_a_file_that_is_not_a_kubeconfig(tmp_path: Path, text: str) -> None:
    (tmp_path / "kubeconfig").write_text(text)
    refusal(tmp_path / "kubeconfig")


def test_accepts_the_minor_version_of_eks_with_its_plus() -> None:
    assert supported("1", "33+")
    assert not supported("1", "")
