"""The connection to the API server: encrypted, to an authority of the cluster alone, and by no proxy."""

import json
import shutil
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from components.metrics.monitors.api_server import ApiServer, UnreadableError
from tests.backends.servers import Certificate, certificate, issued
from tools.http_server import Handler, serving


class Api(Handler):
    def respond(self) -> None:
        self.answer(200, json.dumps({"items": ["a"]}).encode())


@pytest.fixture
def own(tmp_path: Path) -> Certificate:
    """The authority of the cluster."""
    return certificate(tmp_path / "own")


@pytest.fixture
def url(own: Certificate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    # Nothing listens there.
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server = issued(own, tmp_path / "server")
    context.load_cert_chain(server.certificate, server.key)
    with serving(Api, tls=context) as found:
        yield found.replace("http://", "https://")


def account(folder: Path, authority: Certificate) -> Path:
    (folder / "token").write_text("a")
    shutil.copyfile(authority.certificate, folder / "ca.crt")
    return folder


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """As from Python 3.13 on. The server's certificate has no key identifiers, as many of clusters."""
    default: Callable[..., ssl.SSLContext] = ssl.create_default_context

    def create(**arguments: Any) -> ssl.SSLContext:
        context = default(**arguments)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", create)


@pytest.mark.usefixtures("strict")
def test_the_authority_of_the_cluster_is_believed(url: str, own: Certificate, tmp_path: Path) -> None:
    assert list(ApiServer(url, account(tmp_path, own)).monitors("podmonitors")) == ["a"]


def test_another_authority_is_not(url: str, tmp_path: Path) -> None:
    other = certificate(tmp_path / "other")
    with pytest.raises(UnreadableError, match="CERTIFICATE_VERIFY_FAILED"):
        list(ApiServer(url, account(tmp_path, other)).monitors("podmonitors"))


def test_an_address_that_is_not_the_servers_is_not(url: str, own: Certificate, tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="CERTIFICATE_VERIFY_FAILED"):
        list(ApiServer(url.replace("127.0.0.1", "localhost"), account(tmp_path, own)).monitors("podmonitors"))
