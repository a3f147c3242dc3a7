"""The program that proves an identity: its signatures, held against botocore's, and its answers, over real HTTP."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from components.eks import policies
from components.eks.signing import aws_request, calls, prove
from tests.eks.iam_simulation import Request, allowed
from tools.http_server import Handler, serving

REGION, SUFFIX = "eu-central-1", "amazonaws.com"
WRITE = "https://aps-workspaces.eu-central-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write"
KEYS = {"AccessKeyId": "ASIAEXAMPLE", "SecretAccessKey": "hush/hush+hush", "Token": "to/ken=="}
ALL = [
    *calls.buckets(["chunks"], REGION, SUFFIX),
    *calls.workspace(WRITE, REGION),
    *calls.xray(REGION, SUFFIX),
]


@pytest.mark.parametrize("call", ALL, ids=[call["proves"] for call in ALL])
def test_signatures_are_those_of_aws_sdk(call: calls.Call, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime(2026, 11, 28, 12, 30, 5, tzinfo=UTC)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: now.replace(tzinfo=None))
    texts = {key: str(value) for key, value in call.items()}
    headers = aws_request.signed(texts, KEYS, now)
    request = AWSRequest(
        method=call["method"],
        url=call["url"],
        headers={"x-amz-content-sha256": headers["x-amz-content-sha256"]},
        data=b"",
    )
    signer = S3SigV4Auth if call["service"] == "s3" else SigV4Auth
    credentials = Credentials(KEYS["AccessKeyId"], KEYS["SecretAccessKey"], KEYS["Token"])
    signer(credentials, call["service"], REGION).add_auth(request)
    assert headers["authorization"] == request.headers["Authorization"]
    assert headers["x-amz-date"] == request.headers["X-Amz-Date"]


# The permission that AWS wants for each call.
WANTED = {
    "list chunks": ("s3:ListBucket", "arn:aws:s3:::chunks"),
    "write to chunks": ("s3:PutObject", "arn:aws:s3:::chunks/x"),
    "read from chunks": ("s3:GetObject", "arn:aws:s3:::chunks/x"),
    "remove from chunks": ("s3:DeleteObject", "arn:aws:s3:::chunks/x"),
    "write samples": ("aps:RemoteWrite", "w"),
    "query samples": ("aps:QueryMetrics", "w"),
    "list labels": ("aps:GetLabels", "w"),
    "list series": ("aps:GetSeries", "w"),
    "read metadata": ("aps:GetMetricMetadata", "w"),
    "send traces": ("xray:PutTraceSegments", "*"),
}


@pytest.mark.parametrize(
    ("made", "policy"),
    [
        (calls.buckets(["chunks"], REGION, SUFFIX), policies.loki(["arn:aws:s3:::chunks"], None)),
        (calls.workspace(WRITE, REGION), policies.workspace("w")),
        (calls.xray(REGION, SUFFIX), policies.xray()),
    ],
)
def test_the_calls_prove_all_of_the_policy_and_no_more(made: list[calls.Call], policy: dict[str, Any]) -> None:
    wanted = [WANTED[call["proves"]] for call in made]
    assert all(allowed(Request(*one), policy) for one in wanted)
    granted = {action for statement in policy["Statement"] for action in statement["Action"]}
    # One call to X-Ray needs all three of its actions.
    assert {action.split(":")[0] for action in granted} == {action.split(":")[0] for action, _ in wanted}
    assert {action for action, _ in wanted} <= granted
    if not any(action.startswith("xray") for action in granted):
        assert granted == {action for action, _ in wanted}


def programs(folder: Path, *modules: ModuleType) -> Path:
    """The folder in which a pod has these programs, alone, below `signing`."""
    (folder / "signing").mkdir()
    for module in modules:
        shutil.copy(str(module.__file__), folder / "signing")
    return folder


class Aws:
    """An agent and an AWS: path -> status, and what was sent."""

    def __init__(self) -> None:
        self.statuses = {"/v1/credentials": [200]}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.url = ""

    def prove(self, tmp_path: Path, *made: dict[str, Any], uri: str | None = None) -> subprocess.CompletedProcess[str]:
        (tmp_path / "token").write_text("of-the-pod")
        folder = programs(tmp_path, aws_request, prove)
        # Without pauses: the program is run as it is, with the constants of a test.
        code = (
            f"import runpy, sys, time; time.sleep = lambda _: None; sys.path.insert(0, {str(folder)!r}); "
            f"runpy.run_module('signing.prove', run_name='__main__')"
        )
        environment = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{self.url}/v1/credentials" if uri is None else uri,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(tmp_path / "token"),
            "CALLS": json.dumps(made),
            "PATH": os.environ["PATH"],
        }
        command = [sys.executable, "-I", "-c", code]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def call(self, path: str, *statuses: int) -> dict[str, Any]:
        self.statuses[path] = list(statuses)
        return {
            "proves": "read",
            "service": "s3",
            "region": REGION,
            "method": "GET",
            "url": self.url + path,
            "accepts": [200],
        }


@pytest.fixture
def aws() -> Iterator[Aws]:
    made = Aws()

    class Server(Handler):
        def respond(self) -> None:
            made.requests.append((self.command, self.path, {key.lower(): text for key, text in self.headers.items()}))
            statuses = made.statuses[self.path]
            status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
            body = json.dumps(KEYS) if self.path == "/v1/credentials" and status == 200 else "<Code>AccessDenied</Code>"
            self.answer(status, body.encode())

    with serving(Server) as made.url:
        yield made


def test_the_agent_and_aws_are_asked(aws: Aws, tmp_path: Path) -> None:
    done = aws.prove(tmp_path, aws.call("/bucket", 200))
    assert (done.returncode, done.stdout) == (0, "the identity may read\n"), done.stderr
    (_, _, agent), (_, _, bucket) = aws.requests
    assert agent["authorization"] == "of-the-pod"
    assert bucket["authorization"].startswith("AWS4-HMAC-SHA256 Credential=ASIAEXAMPLE/")
    assert bucket["x-amz-security-token"] == KEYS["Token"]


def test_permissions_that_arrive_late_are_waited_for(aws: Aws, tmp_path: Path) -> None:
    aws.statuses["/v1/credentials"] = [500, 200]
    assert aws.prove(tmp_path, aws.call("/bucket", 403, 403, 200)).returncode == 0
    assert len(aws.requests) == 5


@pytest.mark.parametrize(
    ("uri", "agent", "status", "reason"),
    [
        ("", 200, 200, "EKS gave this pod no identity: the association is not known yet"),
        ("http://127.0.0.1:1", 200, 200, "127.0.0.1:1 does not answer: "),
        (None, 404, 200, "the agent of the node gives no credentials: 404"),
        (None, 200, 403, "the identity may not read: 403 <Code>AccessDenied</Code>"),
        (None, 200, 404, "the identity may not read: 404"),
    ],
    ids=["no association", "no agent", "no trust", "no permission", "no bucket"],
)
def test_what_is_missing_is_said(
    aws: Aws, tmp_path: Path, uri: str | None, agent: int, status: int, reason: str
) -> None:
    aws.statuses["/v1/credentials"] = [agent]
    done = aws.prove(tmp_path, aws.call("/bucket", status), uri=uri)
    assert done.returncode == 1
    assert done.stderr.startswith(reason)
    assert "hush" not in done.stdout + done.stderr
