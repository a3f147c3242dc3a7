"""The rendered Job, run with only what its manifest provides, prepares a real OpenSearch."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from components.kubernetes.pods import USERS
from components.logs.log_index import NAME, LogIndex
from tests.backends.opensearch import OpenSearchNode
from tests.log_index import pod
from tests.mock_engine import Recorded
from tools.http_server import Handler, serving

pytestmark = pytest.mark.xdist_group("opensearch")
Engine = Callable[..., Recorded]
# LC_CTYPE is left out, because Python itself adds it to its environment.
LOOK = """
import json, os
seen = {"user": os.getuid(), "groups": os.getgroups(), "here": sorted(os.listdir("/"))}
seen["names"] = sorted({*os.environ} - {"LC_CTYPE"})
for path in ("/x", "/usr/x", "/prepare/x"):
    try:
        open(path, "w")
    except OSError as error:
        seen[path] = error.strerror
print(json.dumps(seen))
"""


def rendered(engine: Engine, url: str) -> tuple[Recorded, dict[str, Any]]:
    """The recorded resources of the component, and the spec of the Job's pod."""
    login = {"username": "logs", "password": "hush-password"}
    recorded = engine(lambda: LogIndex("log-index", {"login": {"namespace": "observability", "url": url, **login}}))
    return recorded, recorded.one("Job", "log-index").inputs["spec"]["template"]["spec"]


def test_the_job_needs_only_what_its_manifest_provides(engine: Engine, empty: OpenSearchNode, tmp_path: Path) -> None:
    done = pod.run(*rendered(engine, empty.url), tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"log index: pipeline and template {NAME} are in place\n"
    template = httpx.get(f"{empty.url}/_index_template/{NAME}", timeout=60).json()["index_templates"][0]
    assert template["index_template"]["index_patterns"] == [f"{NAME}-*"]
    pipeline = httpx.get(f"{empty.url}/_ingest/pipeline/{NAME}", timeout=60).json()
    assert pipeline[NAME]["processors"]


def test_a_file_that_is_missing_in_the_manifest_is_an_error(
    engine: Engine, empty: OpenSearchNode, tmp_path: Path
) -> None:
    recorded, spec = rendered(engine, empty.url)
    del recorded.one("ConfigMap", "log-index").inputs["data"]["index-template.json"]
    done = pod.run(recorded, spec, tmp_path)
    assert done.returncode == 1
    assert "No such file or directory: '/prepare/index-template.json'" in done.stderr
    assert httpx.get(f"{empty.url}/_ingest/pipeline/{NAME}", timeout=60).json() == {}


def test_the_simulated_pod_is_as_restricted_as_documented(engine: Engine, tmp_path: Path) -> None:
    done = pod.run(*rendered(engine, "http://127.0.0.1:9"), tmp_path, "python3", "-I", "-c", LOOK)
    read_only = "Read-only file system"
    assert json.loads(done.stdout) == {
        "user": USERS["job"],
        "groups": [],
        "names": ["OPENSEARCH_PASSWORD", "OPENSEARCH_URL", "OPENSEARCH_USERNAME", "PATH"],
        "here": ["bin", "lib", "lib64", "prepare", "usr"],
        **dict.fromkeys(("/x", "/usr/x", "/prepare/x"), read_only),
    }


def test_without_a_user_of_their_own_the_gateways_use_the_job_s_credentials(engine: Engine, tmp_path: Path) -> None:
    """Uses a fake server that records the credentials, because the real node has no security plugin."""
    recorded_logins: set[str] = set()

    class Refuses(Handler):
        def respond(self) -> None:
            recorded_logins.add(self.headers["Authorization"])
            self.answer(401)

    with serving(Refuses) as url:
        recorded, spec = rendered(engine, url)
        done = pod.run(recorded, spec, tmp_path)
    assert done.returncode == 1
    assert "does not take the login" in done.stderr
    assert recorded_logins == {recorded.one("Secret", "log-index").inputs["stringData"]["authorization"]}
