"""Fixtures: an OpenSearch without the log index, and the script of the Job that prepares it."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import httpx
import pytest

from components.logs import log_index
from tests.backends.opensearch import OpenSearchNode
from tests.mock_engine import ROOT

Apply = Callable[..., subprocess.CompletedProcess[str]]


def clean(node: OpenSearchNode) -> None:
    """Deletes the pipeline, templates and indices that tests of the log index create."""
    for path in (f"/{log_index.NAME}-*", f"/_index_template/{log_index.NAME}", "/_index_template/theirs"):
        httpx.delete(node.url + path, timeout=60)
    httpx.delete(f"{node.url}/_ingest/pipeline/{log_index.NAME}", timeout=60)


@pytest.fixture
def empty(opensearch_node: OpenSearchNode) -> Iterator[OpenSearchNode]:
    """The OpenSearch node without pipeline, templates and indices of the log index."""
    yield opensearch_node
    clean(opensearch_node)


@pytest.fixture(scope="session")
def apply() -> Apply:
    """`apply(url)` runs a Job's script with a minimal environment and only Python's standard library."""

    def run(url: str, program: str = "apply", **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-sS", "-m", f"prepare.{program}"],
            env={"OPENSEARCH_URL": url, "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", **environment},
            cwd=ROOT / "components/opensearch",
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run
