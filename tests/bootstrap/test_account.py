"""The bootstrap program on the mock engine: what an account gets, and what is refused before anything is made."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pulumi
import pytest

from bootstrap.account import Account
from bootstrap.settings import read
from tests.bootstrap.test_rights import SETTINGS
from tests.mock_engine import Recorded

GITHUB = "arn:aws:iam::444455556666:oidc-provider/token.actions.githubusercontent.com"


def account(engine: Callable[..., Recorded], *, preview: bool = False, **changes: Any) -> Recorded:
    def program() -> None:
        made = Account("account", dataclasses.replace(SETTINGS, **changes))
        pulumi.export("backend", made.backend)
        pulumi.export("stacks", made.stacks)

    return engine(program, preview=preview)


def test_each_stack_has_a_key_and_two_roles(engine: Callable[..., Recorded], preview: bool) -> None:
    recorded = account(engine, preview=preview)
    assert {one.inputs["name"] for one in recorded.of("Alias")} == {
        "alias/pulumi-state-staging",
        "alias/pulumi-state-production",
    }
    roles = {one.inputs["name"]: one.inputs for one in recorded.of("Role")}
    assert roles.keys() == {
        f"observability-{stack}-{purpose}" for stack in SETTINGS.stacks for purpose in ("preview", "deploy")
    }
    # An update of an OpenSearch domain takes up to three hours.
    assert roles["observability-staging-deploy"]["maxSessionDuration"] > 3 * 3600
    attached = [one.inputs["role"] for one in recorded.of("RolePolicyAttachment")]
    assert {name: attached.count(name) for name in set(attached)} == {
        name: 2 if name.endswith("deploy") else 1 for name in roles
    }
    if not preview:
        assert recorded.exports["backend"] == "s3://acme-pulumi-state?region=eu-central-1"
        staging = recorded.exports["stacks"]["staging"]
        assert staging["secrets_provider"] == "awskms://alias/pulumi-state-staging?region=eu-central-1"
        assert set(staging["roles"]) == {"staging", "staging-preview"}


def test_a_role_is_for_one_environment_of_one_repository(engine: Callable[..., Recorded]) -> None:
    for role in account(engine, github_provider_arn=GITHUB).of("Role"):
        (statement,) = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
        stack, purpose = role.inputs["name"].removeprefix("observability-").rsplit("-", 1)
        environment = f"{stack}-preview" if purpose == "preview" else stack
        assert statement["Principal"] == {"Federated": GITHUB}
        assert statement["Condition"]["StringEquals"] == {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": f"repo:acme/observability:environment:{environment}",
        }


def test_what_the_account_has_is_not_made_a_second_time(engine: Callable[..., Recorded]) -> None:
    recorded = account(engine, github_provider_arn=GITHUB)
    assert recorded.of("OpenIdConnectProvider") == recorded.of("ServiceLinkedRole") == []


def test_an_account_without_them_gets_them(engine: Callable[..., Recorded]) -> None:
    recorded = account(engine, search_role=True)
    (provider,) = recorded.of("OpenIdConnectProvider")
    assert provider.inputs["clientIdLists"] == ["sts.amazonaws.com"]
    (role,) = recorded.of("ServiceLinkedRole")
    assert role.retain, "all domains of the account share it"


def test_states_are_private_encrypted_and_kept(engine: Callable[..., Recorded]) -> None:
    recorded = account(engine)
    (bucket,) = recorded.of("Bucket")
    assert (bucket.protect, bucket.retain) == (True, True)
    assert all(key.protect and key.retain and key.inputs["enableKeyRotation"] for key in recorded.of("Key"))
    (versions,) = recorded.of("BucketVersioning")
    assert versions.inputs["versioningConfiguration"] == {"status": "Enabled"}
    (encryption,) = recorded.of("BucketServerSideEncryptionConfiguration")
    (rule,) = encryption.inputs["rules"]
    assert rule["applyServerSideEncryptionByDefault"]["sseAlgorithm"] == "aws:kms"
    (closed,) = recorded.of("BucketPublicAccessBlock")
    assert {value for key, value in closed.inputs.items() if key != "bucket"} == {True}
    (policy,) = recorded.of("BucketPolicy")
    (statement,) = json.loads(policy.inputs["policy"])["Statement"]
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_everything_is_made_in_the_account_that_is_named(engine: Callable[..., Recorded]) -> None:
    recorded = account(engine)
    (provider,) = [one for one in recorded.resources if one.type == "pulumi:providers:aws"]
    assert json.loads(provider.inputs["allowedAccountIds"]) == ["444455556666"]
    made = [one for one in recorded.resources if one.custom and one.type.startswith("aws:")]
    assert len(made) > 20
    assert {one.provider.split("::")[-2] for one in made} == {"account-aws"}


class Config(pulumi.Config):
    """A configuration of these texts."""

    def __init__(self, **texts: str) -> None:
        self.texts = texts

    def get(self, key: str, default: str | None = None) -> str | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self.texts.get(key, default)

    def get_object(self, key: str, default: Any = None) -> Any:
        return json.loads(self.texts[key]) if key in self.texts else default

    def get_bool(self, key: str, default: bool | None = None) -> bool | None:
        return json.loads(self.texts[key]) if key in self.texts else default


GOOD = {
    "accountId": "444455556666",
    "region": "eu-central-1",
    "stateBucket": "acme-pulumi-state",
    "stacks": '["staging", "production"]',
    "repository": "acme/observability",
}


def test_settings() -> None:
    assert read(Config(**GOOD)) == SETTINGS


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"accountId": "1"}, 'accountId: "1" is not allowed; allowed: the 12 digits of an AWS account'),
        ({"repository": "acme"}, 'repository: "acme" is not allowed; allowed: ORGANIZATION/REPOSITORY'),
        ({"stacks": "[]"}, "stacks: [] is not allowed; allowed: a list of stacks' names"),
        ({"stacks": '["a", "a"]'}, 'stacks: ["a", "a"] is not allowed'),
        ({"stacks": '["a-observability-b"]'}, 'stacks: "a-observability-b" is not allowed'),
        ({"githubProviderArn": "x"}, 'githubProviderArn: "x" is not allowed'),
        ({"hostedZoneRoleArn": "x"}, 'hostedZoneRoleArn: "x" is not allowed'),
    ],
)
def test_bad_settings(changes: dict[str, str], line: str) -> None:
    with pytest.raises(pulumi.RunError) as error:
        read(Config(**GOOD | changes))
    assert str(error.value).startswith(f"nothing was changed.\n  {line}")


def test_all_problems_are_reported_together() -> None:
    with pytest.raises(pulumi.RunError) as error:
        read(Config())
    assert [line.split(":")[0].strip() for line in str(error.value).splitlines()[1:]] == [
        "accountId",
        "region",
        "stateBucket",
        "repository",
        "stacks",
    ]
