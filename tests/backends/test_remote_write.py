"""The real Prometheus with our configuration copies its samples: to a second Prometheus, and signed as AWS wants it.

What it scrapes is replaced, for there is no cluster here: it asks itself.
"""

import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from components.metrics import prometheus_config
from local.ports import free_port
from tests.backends.pod_identity import agent
from tools.http_server import Handler, serving
from tools.programs import Server, eventually

REGION = "eu-central-1"
WORKSPACE = f"https://aps-workspaces.{REGION}.amazonaws.com/workspaces/ws-1/api/v1/remote_write"


class Prometheus(Server):
    """One server; with `document` as its configuration, or an empty one."""

    def __init__(
        self, folder: Path, document: dict[str, Any], *flags: str, environment: dict[str, str] | None = None
    ) -> None:
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        for scrape in document.get("scrape_configs", []):
            scrape["static_configs"] = [{"targets": [self.address]}]
        folder.mkdir(parents=True)
        config = folder / "prometheus.yml"
        config.write_text(json.dumps(document))  # YAML, too
        super().__init__(
            "prometheus",
            [
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={self.address}",
                *flags,
            ],
            folder,
            f"http://{self.address}/-/ready",
            environment or {},
        )

    def series(self, query: str) -> list[dict[str, str]]:
        """Labels of what it answers."""
        url = f"http://{self.address}/api/v1/query"
        answer = httpx.get(url, params={"query": query}, timeout=30).raise_for_status().json()
        return [one["metric"] for one in answer["data"]["result"]]


def _writer(folder: Path, url: str, *, sent_to: str = "", environment: dict[str, str] | None = None) -> Prometheus:
    """One with the configuration of a stack with this remote write URL; `sent_to` is where the samples go instead."""
    document = yaml.safe_load(
        prometheus_config.render(
            cluster="shop-eu",
            scrape_interval="1s",
            evaluation_interval="1s",
            alertmanagers=["127.0.0.1:9"],
            remote_write_url=url,
            aws_region=REGION,
        )
    )
    document["scrape_configs"] = [{"job_name": "itself"}]
    if sent_to:
        document["remote_write"][0]["url"] = sent_to
    pod = {"POD_NAME": "prometheus-1", **(environment or {})}
    return Prometheus(folder, document, environment=pod)


def test_samples_arrive_at_a_second_prometheus(tmp_path: Path) -> None:
    with Prometheus(tmp_path / "receiver", {}, "--web.enable-remote-write-receiver") as receiver:
        writer = _writer(tmp_path / "writer", f"http://{receiver.address}/api/v1/write")
        with writer:
            (series,) = eventually(
                lambda: receiver.series('up{job="itself"}'), what="no sample arrives at the second Prometheus"
            )
            sent = eventually(
                lambda: writer.series("prometheus_remote_storage_samples_total > 0"), what="nothing is counted as sent"
            )
    assert series == {
        "__name__": "up",
        "instance": writer.address,
        "job": "itself",
        "cluster": "shop-eu",
        # The two by which servers that store for many take one of the replicas; the other is `cluster`.
        "__replica__": "prometheus-1",
    }
    # As the alert PrometheusRemoteWriteBehind and the dashboards know it.
    assert {one["remote_name"] for one in sent} == {"long-term"}


@dataclass(frozen=True)
class Write:
    """One request to write samples."""

    path: str
    headers: dict[str, str]
    body: bytes


@contextmanager
def _workspace() -> Generator[tuple[str, list[Write]]]:
    """Stands where Amazon Managed Prometheus stands: its URL, and what it got."""
    writes: list[Write] = []

    class Taken(Handler):
        def respond(self) -> None:
            headers = {key.lower(): value for key, value in self.headers.items()}
            writes.append(Write(self.path, headers, self.body()))
            self.answer(200)

    with serving(Taken) as url:
        yield f"{url}/workspaces/ws-1/api/v1/remote_write", writes


def _signature(url: str, write: Write, names: list[str], credentials: Credentials) -> str:
    """What AWS would compute for a request, by AWS' own library."""
    signer = SigV4Auth(credentials, "aps", REGION)
    request = AWSRequest("POST", url, headers={name: write.headers[name] for name in names}, data=write.body)
    request.context["timestamp"] = write.headers["x-amz-date"]
    return signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)


def test_what_goes_to_aws_is_signed_by_the_identity_of_the_pod(tmp_path: Path) -> None:
    credentials = Credentials("AKIAEXAMPLE", "hush-hush-hush")
    with (
        _workspace() as (url, writes),
        agent(tmp_path, credentials.access_key, credentials.secret_key) as pod_identity,
        _writer(tmp_path / "writer", WORKSPACE, sent_to=url, environment=pod_identity.environment),
    ):
        eventually(lambda: writes, what="no sample arrives at the workspace")
    write = writes[0]
    scheme, _, rest = write.headers["authorization"].partition(" ")
    parts = dict(part.strip().split("=", 1) for part in rest.split(","))
    day = write.headers["x-amz-date"][:8]
    assert scheme == "AWS4-HMAC-SHA256"
    assert parts["Credential"] == f"AKIAEXAMPLE/{day}/{REGION}/aps/aws4_request"
    assert {"host", "x-amz-date"} <= set(parts["SignedHeaders"].split(";"))
    assert parts["Signature"] == _signature(url, write, parts["SignedHeaders"].split(";"), credentials)


def test_what_goes_elsewhere_is_not_signed(tmp_path: Path) -> None:
    with _workspace() as (url, writes), _writer(tmp_path / "writer", url):
        eventually(lambda: writes, what="no sample arrives")
    assert "authorization" not in writes[0].headers
