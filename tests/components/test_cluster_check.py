"""Before the first resource: is there a cluster, and is it one this program is made for? Asked over real HTTP."""

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
import yaml

from components.cluster_check import ClusterError, require_cluster, supported
from components.versions import KUBERNETES

Serve = Callable[..., Path]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """`serve(git_version)` starts an API server that knows only /version, and gives a kubeconfig for it."""
    servers: list[HTTPServer] = []

    def start(git_version: str, *, status: int = 200, login: int = 201, classes: dict[str, str] | None = None) -> Path:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.endswith("/ingressclasses"):
                    items = [
                        {"metadata": {"name": name}, "spec": {"controller": controller}}
                        for name, controller in (classes or {}).items()
                    ]
                    kind = {"apiVersion": "networking.k8s.io/v1", "kind": "IngressClassList"}
                    self._answer(200 if classes is not None else 403, json.dumps({**kind, "items": items}))
                    return
                major, minor = git_version.removeprefix("v").split(".")[:2]
                texts = ("gitCommit", "gitTreeState", "buildDate", "goVersion", "compiler", "platform")
                body = json.dumps(
                    dict.fromkeys(texts, "x") | {"major": major, "minor": minor, "gitVersion": git_version}
                )
                self._answer(status, body)

            def do_POST(self) -> None:
                kind = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
                self._answer(login, json.dumps(kind | {"status": {"userInfo": {"username": "deploy"}}}))

            def _answer(self, status: int, body: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *args: object) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        Thread(target=server.serve_forever, daemon=True).start()
        return kubeconfig(tmp_path, f"http://127.0.0.1:{server.server_port}")

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


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


def refusal(file: Path, context: str | None = None, ingress_class: str = "") -> str:
    with pytest.raises(ClusterError) as error:
        require_cluster(str(file), context, ingress_class)
    text = str(error.value)
    assert str(file) in text
    assert "Nothing was changed." in text
    assert "hush" not in text
    return text


@pytest.mark.parametrize("version", [f"v{KUBERNETES}", "v1.32.0", "v1.36.9-eks-abc123"])
def test_accepts(serve: Serve, version: str) -> None:
    assert require_cluster(str(serve(version)), "one") == version


@pytest.mark.parametrize("version", ["v1.31.9", "v1.37.0", "v2.33.0"])
def test_refuses_other_versions(serve: Serve, version: str) -> None:
    text = refusal(serve(version))
    assert f"runs Kubernetes {version}; allowed: 1.32 <= version < 1.37" in text
    assert "http://127.0.0.1" in text


def test_refuses_a_server_that_is_not_there(tmp_path: Path) -> None:
    text = refusal(kubeconfig(tmp_path, "https://127.0.0.1:1"), "one")
    assert "https://127.0.0.1:1" in text
    assert "context one" in text
    assert "Connection refused" in text


def test_refuses_a_server_that_refuses_us(serve: Serve) -> None:
    assert "HTTP 401" in refusal(serve("v1.34.0", status=401))


def test_refuses_a_server_that_tells_its_version_to_strangers(serve: Serve) -> None:
    assert "does not accept our login: HTTP 401" in refusal(serve("v1.34.0", login=401))


ALB = {"alb": "ingress.k8s.aws/alb"}


def test_asks_for_the_ingress_class(serve: Serve) -> None:
    assert require_cluster(str(serve("v1.34.0", classes=ALB)), "one", "alb") == "v1.34.0"


@pytest.mark.parametrize(
    ("classes", "told"),
    [
        ({}, 'has no ingress class "alb" (observability:ingressClass) of the AWS Load Balancer Controller'),
        ({}, "; there are: none. "),
        ({"nginx": "k8s.io/ingress-nginx", "other": ALB["alb"]}, "nginx (k8s.io/ingress-nginx), other (ingress.k8s"),
        ({"alb": "k8s.io/ingress-nginx"}, "there are: alb (k8s.io/ingress-nginx). "),
        (None, "does not tell its ingress classes: HTTP 403"),
    ],
)
def test_refuses_a_cluster_whose_ingresses_nobody_serves(
    serve: Serve, classes: dict[str, str] | None, told: str
) -> None:
    assert told in refusal(serve("v1.34.0", classes=classes), "one", "alb")


def test_takes_the_text_of_a_kubeconfig(serve: Serve) -> None:
    text = json.dumps(yaml.safe_load(serve("v1.34.0").read_text()))
    assert require_cluster(text, None) == "v1.34.0"


def test_refuses_a_text_without_showing_it() -> None:
    with pytest.raises(ClusterError) as error:
        require_cluster('{"users": [{"user": {"token": "hush"}}]}', None)
    assert "kubeconfig of the EKS cluster cannot be used" in str(error.value)
    assert "hush" not in str(error.value)


def test_refuses_an_unknown_context(serve: Serve) -> None:
    assert "context two" in refusal(serve("v1.34.0"), "two")


def test_refuses_no_kubeconfig(tmp_path: Path) -> None:
    refusal(tmp_path / "absent")


@pytest.mark.parametrize("text", ["", "a: [", "hello", "[]", "clusters: 3"])
def test_refuses_what_is_no_kubeconfig(tmp_path: Path, text: str) -> None:
    (tmp_path / "kubeconfig").write_text(text)
    refusal(tmp_path / "kubeconfig")


def test_reads_the_minor_of_eks() -> None:
    assert supported("1", "33+")
    assert not supported("1", "")
