"""One Loki for all tests of this folder that a process runs."""

from collections.abc import Iterator

import pytest

from tools.rule_tests.loki_server import LokiServer, loki


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LokiServer]:
    """A Loki without rules; each test uses a tenant of its own."""
    with loki(tmp_path_factory.mktemp("loki")) as running:
        yield running
