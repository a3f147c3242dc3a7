"""The real Jaeger with our configuration at a real OpenSearch node, whose door wants a password."""

from pathlib import Path

import pytest

from tests.backends.front import front
from tests.backends.jaeger_opensearch import PASSWORD, USER, Jaeger
from tests.backends.opensearch import OpenSearchNode
from tests.backends.servers import certificate

pytestmark = pytest.mark.xdist_group("opensearch")


def test_a_wrong_password_ends_jaeger_with_opensearch_s_answer(opensearch_node: OpenSearchNode, tmp_path: Path) -> None:
    tls = certificate(tmp_path / "tls")
    with front(opensearch_node.url, tls, USER, PASSWORD) as opensearch:
        jaeger = Jaeger(tmp_path / "jaeger", opensearch, tls, password="Not-this-1")
        jaeger.launch()
        assert jaeger.process
        try:
            assert jaeger.process.wait(timeout=120) != 0
        finally:
            jaeger.end()
    assert "failed to create Elasticsearch client: elastic: Error 401 (Unauthorized)" in jaeger.log
    assert "Not-this-1" not in jaeger.log
