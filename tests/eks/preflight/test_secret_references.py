"""References to secrets in Secrets Manager, against moto: read, or told why not; and never shown."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from components.eks.preflight import secrets_manager
from settings import stack as settings
from settings.eks import facts, secret_references
from settings.eks.facts import Findings
from settings.eks.secret_references import Reference
from tests.mock_engine import SECRETS, stack_config

REGION = "eu-central-1"


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A Secrets Manager that holds a JSON object, a text and bytes."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        made = boto3.client("secretsmanager", region_name=REGION)
        made.create_secret(Name="observability/staging", SecretString=json.dumps({"slack": "hush", "number": 1}))
        made.create_secret(Name="plain", SecretString="hush plain")
        made.create_secret(Name="bytes", SecretBinary=b"hush bytes")
        yield made


def test_finds_references_among_secrets_only() -> None:
    raw = {"a": "aws-secret:observability/staging#slack", "b": "aws-secret:plain", "c": "no", "d": "aws-secret:plain"}
    assert secret_references.find(raw, ["a", "b", "c", "missing"]) == (
        {"a": Reference("observability/staging", "slack"), "b": Reference("plain")},
        [],
    )


@pytest.mark.parametrize(
    "text", ["aws-secret:", "aws-secret:a b", "aws-secret:a#", "aws-secret:a#b#c", "aws-secret:arn:"]
)
def test_refuses_malformed_references(text: str) -> None:
    assert secret_references.find({"key": text}, ["key"]) == (
        {},
        [
            f'key: "{text}" is not allowed; allowed: aws-secret:NAME or aws-secret:ARN, optionally with #KEY of the '
            "secret's JSON"
        ],
    )


def test_reads_by_name_and_by_arn(client: Any) -> None:
    arn = client.describe_secret(SecretId="plain")["ARN"]
    found = {"a": Reference("observability/staging", "slack"), "b": Reference("plain"), "c": Reference(arn)}
    assert secrets_manager.read(client, found, REGION) == ({"a": "hush", "b": "hush plain", "c": "hush plain"}, [])


@pytest.mark.parametrize(
    ("reference", "problem"),
    [
        (
            Reference("absent"),
            "aws-secret:absent cannot be read: ResourceNotFoundException: Secrets Manager can't find",
        ),
        (Reference("bytes"), "aws-secret:bytes cannot be read: it contains no text"),
        (Reference("plain", "a"), "aws-secret:plain#a cannot be read: it is not a JSON object"),
        (
            Reference("observability/staging", "slak"),
            "aws-secret:observability/staging#slak cannot be read: its JSON has no text under 'slak'; "
            "available keys: slack",
        ),
        (
            Reference("observability/staging", "number"),
            "aws-secret:observability/staging#number cannot be read: its JSON has no text under 'number'; "
            "available keys: slack",
        ),
        (
            Reference("arn:aws:secretsmanager:us-east-1:111122223333:secret:x-abcdef"),
            "aws-secret:arn:aws:secretsmanager:us-east-1:111122223333:secret:x-abcdef cannot be read: it is in "
            "us-east-1; allowed: a secret in awsRegion eu-central-1",
        ),
    ],
)
def test_tells_why_one_cannot_be_read(client: Any, reference: Reference, problem: str) -> None:
    values, (line,) = secrets_manager.read(client, {"key": reference}, REGION)
    assert values == {}
    assert line.startswith(f"key: {problem}")
    assert "hush" not in line


def test_asks_once_for_each_secret(client: Any) -> None:
    asked: list[str] = []

    class Counting:
        def get_secret_value(self, *, SecretId: str) -> Any:  # noqa: N803
            asked.append(SecretId)
            return client.get_secret_value(SecretId=SecretId)

    both = {"a": Reference("absent"), "b": Reference("absent", "x"), "c": Reference("plain"), "d": Reference("plain")}
    values, problems = secrets_manager.read(Counting(), both, REGION)
    assert asked == ["absent", "plain"]
    assert (len(values), len(problems)) == (2, 2)


def test_what_a_reference_leads_to_is_checked_like_any_secret() -> None:
    def answer(values: Any, references: Any, stack: str) -> Findings:
        assert references["platformSlackUrl"] == Reference("observability/staging", "platformSlackUrl")
        return Findings(
            facts=facts.offline(values, references).facts,
            secrets={
                "platformSlackUrl": "http://hush.example.com",
                "deadMansSwitchUrl": "https://hush.example.com/read",
            },
            problems=["oncallPagerdutyKey: aws-secret:observability/staging#x cannot be read: gone"],
        )

    with pytest.raises(settings.SettingsError) as error:
        settings.parse(stack_config("staging"), [], ask_aws=answer)
    assert [line.split(": ")[0] for line in error.value.problems] == [
        "observability:oncallPagerdutyKey",
        "observability:platformSlackUrl",
    ]
    assert "hush" not in str(error.value)


def test_references_need_eks() -> None:
    with pytest.raises(settings.SettingsError) as error:
        settings.parse(stack_config("local") | {"platformSlackUrl": "aws-secret:x"}, [])
    assert error.value.problems == (
        "observability:platformSlackUrl: a reference is not allowed; allowed only when cloud is eks",
    )


def test_a_secret_may_stand_in_the_stack_file_instead() -> None:
    loaded = settings.parse(stack_config("staging") | SECRETS, list(SECRETS))
    assert loaded.secrets["platformSlackUrl"].get_secret_value() == SECRETS["platformSlackUrl"]
