"""The stand-in `aws` provider, called without an engine: arguments, credentials and refusals."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from pulumi.provider.experimental import provider as rpc

from engine.stand_ins.aws.provider import AwsProvider
from engine.stand_ins.errors import ProviderError
from engine.stand_ins.values import UNKNOWN, has_unknown, plain, properties
from tests.engine.aws_emulator import ACCOUNT, REGION, emulated_aws, environment

BUCKET, LIFECYCLE = "aws:s3/bucket:Bucket", "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
CLUSTER, ADDON = "aws:eks/cluster:Cluster", "aws:eks/addon:Addon"
IDENTITY = "aws:eks/podIdentityAssociation:PodIdentityAssociation"
OFFLINE = {
    "region": REGION,
    "accessKey": "offline",
    "secretKey": "offline",
    "skipCredentialsValidation": "true",
    "skipRequestingAccountId": "true",
}
NOWHERE = "http://127.0.0.1:1"  # nothing listens on port 1 (tcpmux)


def urn(token: str) -> str:
    return f"urn:pulumi:dev::project::observability:index:Parent${token}::logical"


def configured(**arguments: str) -> AwsProvider:
    provider = AwsProvider()
    request = rpc.ConfigureRequest({}, properties({"region": REGION, **arguments}, {}), True, True)
    asyncio.run(provider.configure(request))
    return provider


def problems(token: str, inputs: dict[str, Any]) -> list[str]:
    request = rpc.CheckRequest(urn(token), {}, properties(inputs, {}), b"1234")
    return [one.reason for one in asyncio.run(AwsProvider().check(request)).failures or []]


def create(provider: AwsProvider, token: str, inputs: dict[str, Any], *, preview: bool = False) -> dict[str, Any]:
    request = rpc.CreateRequest(urn(token), properties(inputs, {}), 0, preview)
    return plain(asyncio.run(provider.create(request)).properties)


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    with emulated_aws() as url:
        yield url


def test_every_wrong_argument_is_one_clear_problem():
    rules = [{"id": 1, "status": "Enabled", "filter": {"prefx": "fake/"}}, "all"]
    assert problems(LIFECYCLE, {"rules": rules}) == [
        "rules[0].filter.prefx: no argument of BucketLifecycleConfigurationRuleFilter; did you mean prefix?",
        "rules[0].id: must be a text, but is a whole number",
        "rules[1]: must be an object (BucketLifecycleConfigurationRuleArgs), but is a text",
        "bucket: required",
    ]
    assert problems(BUCKET, {"forceDestroy": "yes", "tags": {"a": True}}) == [
        "forceDestroy: must be true or false, but is a text",
        "tags.a: must be a text, but is true or false",
    ]
    assert problems(LIFECYCLE, {"bucket": UNKNOWN, "rules": UNKNOWN}) == []


def test_wrong_secret_is_not_in_the_message():
    wrong = {"secretId": "s", "secretString": "x", "hunter": "hunter22"}
    request = rpc.CheckRequest(urn("aws:secretsmanager/secretVersion:SecretVersion"), {}, properties(wrong, {}), b"")
    (failure,) = asyncio.run(AwsProvider().check(request)).failures or []
    # The engine prints the value of the property that a failure names, so the failure names none.
    assert (failure.property, failure.reason) == ("", "hunter: no argument of SecretVersion")


def test_provider_arguments_are_checked_too():
    given = {
        "region": REGION,
        "allowedAccountIds": '["1"]',
        "regin": "x",
        "httpProxy": "x",
        "defaultTags": '{"tag": {}}',
    }
    request = rpc.CheckRequest("urn:pulumi:dev::p::pulumi:providers:aws::aws", {}, properties(given, {}), b"")
    found = [one.reason for one in asyncio.run(AwsProvider().check_config(request)).failures or []]
    assert found[0].startswith("defaultTags.tag: no argument of ProviderDefaultTags; did you mean tags?")
    assert "regin: no argument of Provider; did you mean region?" in found
    assert [reason for reason in found if reason.startswith("httpProxy: the stand-in aws provider does not support")]


def test_credentials_of_another_account_are_refused(aws):
    with pytest.raises(ProviderError, match=f"belongs to account {ACCOUNT}; allowed: 111122223333"):
        configured(allowedAccountIds='["111122223333"]')
    configured(allowedAccountIds=f'["{ACCOUNT}"]')


def test_missing_credentials_and_an_unreachable_aws_are_refused():
    with environment(AWS_ENDPOINT_URL=NOWHERE), pytest.raises(ProviderError, match="Unable to locate credentials"):
        configured()
    login = {"accessKey": "k", "secretKey": "s"}
    with (
        environment(AWS_ENDPOINT_URL=NOWHERE, AWS_MAX_ATTEMPTS="1"),
        pytest.raises(ProviderError, match="Could not connect"),
    ):
        configured(**login)
    with environment(), pytest.raises(ProviderError, match=r"no access to AWS: .*profile \(none\)"):
        configured(profile="none")


def test_offline_preview_calls_nothing_and_gives_back_the_inputs():
    with environment(AWS_ENDPOINT_URL=NOWHERE):
        provider = configured(**OFFLINE)
        vpc = {"subnetIds": ["subnet-1"]}
        planned = create(provider, CLUSTER, {"name": "c", "roleArn": "r", "vpcConfig": vpc}, preview=True)
    assert (planned["name"], planned["vpcConfig"]["subnetIds"]) == ("c", ["subnet-1"])
    assert has_unknown(planned["endpoint"])
    assert has_unknown(planned["vpcConfig"]["clusterSecurityGroupId"])


def test_nothing_is_changed_outside_a_preview():
    with environment():
        provider = configured(**OFFLINE)
        with pytest.raises(ProviderError, match=r"create aws:s3/bucket:Bucket: the stand-in .* only previews"):
            create(provider, BUCKET, {"bucket": "b"})
        state = properties({"bucket": "b"}, {})
        for call in (
            provider.delete(rpc.DeleteRequest(urn(BUCKET), "b", state, 0)),
            provider.read(rpc.ReadRequest(urn(BUCKET), "b", state, state)),
        ):
            with pytest.raises(ProviderError, match=r"only previews new resources; install the official plugin"):
                asyncio.run(call)
    assert create(provider, "aws:sns/topic:Topic", {"name": "t"}, preview=True)["name"] == "t"
