"""The real Jaeger with our configuration on a real OpenSearch node: any Jaeger shows what another one stored."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from components import jaeger_config
from components.jaeger_config import JaegerConfig
from local.opensearch import OpenSearchNode
from tests.backends.front import front
from tests.backends.servers import Certificate, certificate
from tests.collector.jaeger import TRACE, health, loopback, store
from tests.programs import Server, eventually

USER, PASSWORD = "jaeger", "Hush-hush-1"


class Jaeger(Server):
    """One replica with the configuration that a stack with this OpenSearch gets, on ports of its own."""

    def __init__(self, folder: Path, opensearch: str, tls: Certificate, password: str = PASSWORD) -> None:
        self.listen = loopback()
        self.query = f"http://127.0.0.1:{self.listen.query}"
        folder.mkdir(parents=True)
        config = folder / "jaeger.yaml"
        config.write_text(
            jaeger_config.render(
                JaegerConfig(
                    retention="7d",
                    prometheus="http://127.0.0.1:9",
                    storage="opensearch",
                    opensearch_urls=[opensearch],
                    opensearch_replicas=0,
                    listen=self.listen,
                )
            )
        )
        credentials = {jaeger_config.USERNAME_ENV: USER, jaeger_config.PASSWORD_ENV: password}
        super().__init__("jaeger", [f"--config={config}"], folder, health(self.listen), {**tls.trusted, **credentials})

    def operations(self) -> list[str]:
        """Names of the trace's spans."""
        (trace,) = httpx.get(f"{self.query}/api/traces/{TRACE}", timeout=30).raise_for_status().json()["data"]
        return [span["operationName"] for span in trace["spans"]]

    def services(self) -> list[str]:
        return httpx.get(f"{self.query}/api/services", timeout=30).raise_for_status().json()["data"]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSearchNode]:
    with OpenSearchNode(tmp_path_factory.mktemp("opensearch")) as running:
        yield running


def test_traces_are_in_opensearch_for_every_jaeger(node: OpenSearchNode, tmp_path: Path) -> None:
    tls = certificate(tmp_path / "tls")
    with front(node.url, tls, USER, PASSWORD) as opensearch:
        with Jaeger(tmp_path / "first", opensearch, tls) as jaeger:
            day = datetime.now(UTC).date()
            store(jaeger.listen)
            eventually(lambda: jaeger.operations() == ["checkout"], what="the trace is not stored")
        node.stop()
        node.start()
        with Jaeger(tmp_path / "second", opensearch, tls) as jaeger:
            eventually(lambda: jaeger.operations() == ["checkout"], what="another Jaeger does not find the trace")
            assert jaeger.services() == ["till"]
    indices = {one["index"]: one for one in httpx.get(f"{node.url}/_cat/indices?format=json").json()}
    # As the policy that deletes old indices must know them, and green: one node has no room for copies.
    for kind in ("span", "service"):
        assert indices[f"observability-jaeger-{kind}-{day:%Y-%m-%d}"]["health"] == "green"


def test_a_wrong_password_ends_jaeger_with_opensearch_s_answer(node: OpenSearchNode, tmp_path: Path) -> None:
    tls = certificate(tmp_path / "tls")
    with front(node.url, tls, USER, PASSWORD) as opensearch:
        jaeger = Jaeger(tmp_path / "jaeger", opensearch, tls, password="Not-this-1")
        jaeger.launch()
        assert jaeger.process
        try:
            assert jaeger.process.wait(timeout=120) != 0
        finally:
            jaeger.end()
    assert "failed to create Elasticsearch client: elastic: Error 401 (Unauthorized)" in jaeger.log
    assert "Not-this-1" not in jaeger.log
