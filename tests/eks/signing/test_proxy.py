"""The proxy of the workspace: what it passes on, under which signature, and what it answers when AWS refuses."""

import threading
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import boto3
import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.parsers import create_parser

from components.eks.signing import aws_request, proxy
from tests.backends.pod_identity import Agent, agent
from tools.http_server import Handler, serving

REGION, WORKSPACE = "eu-central-1", "/workspaces/ws-1"
KEYS = Credentials("AKIAEXAMPLE", "hush/hush+hush")


class Aws:
    """A workspace: what it answers, and what it got as (method, path with query, headers, body)."""

    def __init__(self) -> None:
        self.status = 200
        self.url = ""
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []


@pytest.fixture
def aws() -> Iterator[Aws]:
    made = Aws()

    class Workspace(Handler):
        def respond(self) -> None:
            headers = {key.lower(): text for key, text in self.headers.items()}
            made.requests.append((self.command, self.path, headers, self.body()))
            self.answer(made.status, b'"of AWS"', headers={"Retry-After": "7"})

    with serving(Workspace) as made.url:
        yield made


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Agent]:
    with agent(tmp_path, KEYS.access_key, KEYS.secret_key) as made:
        yield made


def _serve(handler: type[proxy.Proxy]) -> Iterator[str]:
    with proxy.Server(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def environment(aws: Aws, node: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy.Proxy, "credentials", proxy.Credentials())
    monkeypatch.delenv("AWS_ROLE_ARN", raising=False)
    for name, value in {"WORKSPACE": aws.url + WORKSPACE, "REGION": REGION, **node.environment}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def writes(environment: None) -> Iterator[str]:
    yield from _serve(proxy.Writes)


@pytest.fixture
def queries(environment: None) -> Iterator[str]:
    yield from _serve(proxy.Queries)


def _require_signature(aws: Aws) -> None:
    """AWS' own library computes the same signature for the last request."""
    method, path, headers, body = aws.requests[-1]
    names = headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    signer = SigV4Auth(KEYS, "aps", REGION)
    request = AWSRequest(method, aws.url + path, headers={name: headers[name] for name in names}, data=body)
    request.context["timestamp"] = headers["x-amz-date"]
    wanted = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    assert headers["authorization"].endswith(f"Signature={wanted}")


def test_samples_are_passed_on_as_they_are(aws: Aws, writes: str) -> None:
    headers = {"Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": "0.1.0", "Cookie": "of the cluster"}
    answer = httpx.post(f"{writes}/api/v1/remote_write", content=b"samples", headers=headers)
    assert (answer.status_code, answer.text, answer.headers["retry-after"]) == (200, '"of AWS"', "7")
    method, path, sent, body = aws.requests[-1]
    assert (method, path, body) == ("POST", f"{WORKSPACE}/api/v1/remote_write", b"samples")
    assert (sent["content-encoding"], sent["x-prometheus-remote-write-version"]) == ("snappy", "0.1.0")
    assert "cookie" not in sent
    _require_signature(aws)


@pytest.mark.parametrize(
    "asked",
    [
        "query?query=up",
        "query_range?query=sum%20by%20(a)%20(b%2Bc)&start=1&end=2&step=15",
        "series?match%5B%5D=up%7Ba%3D%22b+c%22%7D&match[]=a&empty=",
        "label/__name__/values",
    ],
)
def test_queries_are_signed_with_what_they_ask(aws: Aws, queries: str, asked: str) -> None:
    assert httpx.get(f"{queries}/api/v1/{asked}").status_code == 200
    _require_signature(aws)
    got, wanted = (httpx.URL(f"http://x{path}") for path in (aws.requests[-1][1], f"{WORKSPACE}/api/v1/{asked}"))
    assert got.path == wanted.path
    assert sorted(got.params.multi_items()) == sorted(wanted.params.multi_items())


def test_a_long_query_is_the_body(aws: Aws, queries: str) -> None:
    assert httpx.post(f"{queries}/api/v1/query", data={"query": "up"}).status_code == 200
    assert aws.requests[-1][3] == b"query=up"
    _require_signature(aws)


@pytest.mark.parametrize("status", [400, 429, 500])
def test_what_aws_says_of_a_request_is_passed_on(aws: Aws, writes: str, status: int) -> None:
    aws.status = status
    answer = httpx.post(f"{writes}/api/v1/remote_write", content=b"samples")
    assert (answer.status_code, answer.text, answer.headers["retry-after"]) == (status, '"of AWS"', "7")


def test_samples_wait_while_the_identity_is_refused(aws: Aws, node: Agent, writes: str) -> None:
    """Prometheus drops what gets 403, and repeats what gets 503. The next attempt has new credentials."""
    aws.status = 403
    for _ in range(2):
        answer = httpx.post(f"{writes}/api/v1/remote_write", content=b"samples")
        assert (answer.status_code, answer.text) == (503, 'AWS refuses the identity: 403 "of AWS"')
    assert node.given == 2
    aws.status = 200
    for _ in range(2):
        assert httpx.post(f"{writes}/api/v1/remote_write", content=b"samples").status_code == 200
    assert node.given == 3


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "", "EKS gave this pod no identity"),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1", "127.0.0.1:1 does not answer"),
        ("WORKSPACE", "http://127.0.0.1:1", "127.0.0.1:1 does not answer"),
    ],
    ids=["no association", "no agent", "no AWS"],
)
def test_samples_wait_for_what_is_missing(
    writes: str, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, reason: str
) -> None:
    monkeypatch.setenv(variable, value)
    answer = httpx.post(f"{writes}/api/v1/remote_write", content=b"samples")
    assert answer.status_code == 503
    assert answer.text.startswith(reason)
    assert httpx.get(f"{writes}/healthz").status_code == 200, "a restart does not bring it back"


STS = """<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithWebIdentityResult>
    <Credentials>
      <AccessKeyId>ASIAEXAMPLE</AccessKeyId>
      <SecretAccessKey>hush/hush+hush=</SecretAccessKey>
      <SessionToken>to/ken==</SessionToken>
      <Expiration>2099-01-01T00:00:00Z</Expiration>
    </Credentials>
  </AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>"""


@pytest.mark.parametrize("status", [200, 403])
def test_a_role_in_the_service_account_is_assumed_with_its_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """IRSA. The answer is one that AWS' own library reads as credentials."""
    shape = boto3.client("sts", region_name=REGION).meta.service_model.operation_model("AssumeRoleWithWebIdentity")
    parsed = create_parser("query").parse({"body": STS.encode(), "headers": {}, "status_code": 200}, shape.output_shape)
    asked: list[dict[str, list[str]]] = []

    class Sts(Handler):
        def respond(self) -> None:
            asked.append(parse_qs(self.body().decode()))
            self.answer(status, STS.encode() if status == 200 else b"<Code>AccessDenied</Code>")

    (tmp_path / "token").write_text("of-the-account\n")
    with serving(Sts) as url:
        for name, value in {
            "AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/loki",
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
            "AWS_ENDPOINT_URL_STS": url,
        }.items():
            monkeypatch.setenv(name, value)
        if status == 200:
            found = aws_request.credentials()
            assert found["Token"] == parsed["Credentials"]["SessionToken"]
            assert found["SecretAccessKey"] == parsed["Credentials"]["SecretAccessKey"]
            assert found["Expiration"] == "2099-01-01T00:00:00Z"
        else:
            with pytest.raises(aws_request.RefusedError, match=r"AWS gives no credentials of arn:aws:iam::1.*403"):
                aws_request.credentials()
    (form,) = asked
    assert form["Action"] == ["AssumeRoleWithWebIdentity"]
    assert form["WebIdentityToken"] == ["of-the-account"]
    assert form.keys() - {"Version"} <= shape.input_shape.members.keys() | {"Action"}


def test_credentials_are_renewed_before_they_end(node: Agent, environment: None) -> None:
    known = proxy.Credentials()
    ends = proxy.datetime(2099, 1, 1, tzinfo=proxy.timezone.utc)
    for minutes in (60, 6):
        known.get(ends - proxy.timedelta(minutes=minutes))
    assert node.given == 1
    known.get(ends - proxy.timedelta(minutes=4))
    assert node.given == 2


@pytest.mark.parametrize(
    ("port", "path"),
    [
        ("queries", "/api/v1/remote_write"),
        ("queries", "/api/v1/../v1/remote_write"),
        ("queries", "/api/v1/label/%2e%2e/remote_write"),
        ("queries", "/"),
        ("writes", "/api/v1/query"),
        ("writes", "/metrics"),
    ],
)
def test_nothing_else_is_passed_on(aws: Aws, request: pytest.FixtureRequest, port: str, path: str) -> None:
    """Whoever may query, such as a viewer in Grafana, may not write."""
    host = urlsplit(request.getfixturevalue(port)).netloc
    for method in ("GET", "POST"):
        with closing(HTTPConnection(host)) as connection:
            connection.request(method, path, body=b"")
            assert connection.getresponse().status == 404
    assert not aws.requests


@pytest.mark.parametrize("length", ["-1", str(proxy.LARGEST_BODY + 1)])
def test_a_body_that_is_too_large_is_not_read(aws: Aws, writes: str, length: str) -> None:
    with closing(HTTPConnection(urlsplit(writes).netloc)) as connection:
        connection.putrequest("POST", "/api/v1/remote_write")
        connection.putheader("Content-Length", length)
        connection.endheaders()
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (413, b"allowed: a length of at most 33554432 bytes")
    assert not aws.requests
