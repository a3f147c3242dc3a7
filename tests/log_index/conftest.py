"""An OpenSearch without anything of ours, and the Job's script as the Job runs it."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from components.logs import log_index
from tests.backends.opensearch import OpenSearchNode
from tests.mock_engine import ROOT

Apply = Callable[..., subprocess.CompletedProcess[str]]


def clean(node: OpenSearchNode) -> None:
    """Deletes pipelines, templates and indices of ours."""
    for path in (f"/{log_index.NAME}-*", f"/_index_template/{log_index.NAME}", "/_index_template/theirs"):
        httpx.delete(node.url + path, timeout=60)
    httpx.delete(f"{node.url}/_ingest/pipeline/{log_index.NAME}", timeout=60)


@pytest.fixture
def empty(opensearch_node: OpenSearchNode) -> Iterator[OpenSearchNode]:
    """The node without anything of ours."""
    yield opensearch_node
    clean(opensearch_node)


@pytest.fixture(scope="session")
def apply() -> Apply:
    """Runs the script against a URL; with an environment of its own, and nothing but Python."""

    def run(url: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-I", ROOT / "components/logs/index_job" / "apply.py"],
            env={"OPENSEARCH_URL": url, "PATH": os.environ["PATH"], **environment},
            cwd=Path("/"),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run
