"""The aws stand-in's answers to the engine that need no engine: arguments, logins, refusals, and calls to services."""

import asyncio
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from pulumi.provider.experimental import provider as rpc
from pulumi.provider.experimental.property_value import PropertyValue

from components.versions import EKS_ADDONS
from local.providers.aws.kinds import KINDS
from local.providers.aws.provider import AwsProvider
from local.providers.aws.service import GoneError, Service
from local.providers.errors import ProviderError
from local.providers.values import UNKNOWN, has_unknown, plain, properties
from tests.local.aws_emulator import ACCOUNT, REGION, emulated_aws, environment

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
NOWHERE = "http://127.0.0.1:1"  # port 1 (tcpmux) is served nowhere


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
    # The engine shows the value of a property that it is told.
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


def test_every_kind_is_one_of_the_sdk_and_every_input_one_of_its_arguments():
    from pulumi._types import input_type_types  # noqa: PLC0415

    from local.providers.aws import arguments  # noqa: PLC0415

    for token, kind in KINDS.items():
        resource = arguments._resource(token)
        known = input_type_types(arguments._arguments(resource))
        assert kind.inputs <= known.keys(), token
        assert {*kind.updates, *kind.again, *kind.local} <= kind.inputs, token
        assert not kind.name or kind.name in kind.inputs


def test_other_accounts_login_is_refused(aws):
    with pytest.raises(ProviderError, match=f"belongs to account {ACCOUNT}; allowed: 111122223333"):
        configured(allowedAccountIds='["111122223333"]')
    configured(allowedAccountIds=f'["{ACCOUNT}"]')


def test_no_login_and_no_answer_are_refused():
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


def test_offline_preview_asks_nobody_and_knows_what_the_program_says():
    with environment(AWS_ENDPOINT_URL=NOWHERE):
        provider = configured(**OFFLINE)
        vpc = {"subnetIds": ["subnet-1"]}
        planned = create(provider, CLUSTER, {"name": "c", "roleArn": "r", "vpcConfig": vpc}, preview=True)
    assert (planned["name"], planned["vpcConfig"]["subnetIds"]) == ("c", ["subnet-1"])
    assert has_unknown(planned["endpoint"])
    assert has_unknown(planned["vpcConfig"]["clusterSecurityGroupId"])


def test_preview_refuses_what_the_service_would_refuse():
    with environment():
        provider = configured(**OFFLINE)
        with pytest.raises(ProviderError, match=r"s3 put_bucket_lifecycle_configuration would be refused: .*Status"):
            create(provider, LIFECYCLE, {"bucket": "b", "rules": [{"id": "a"}]}, preview=True)


def test_real_account_is_never_changed():
    with environment(), pytest.raises(ProviderError, match="changes nothing in a real account"):
        create(configured(**OFFLINE), BUCKET, {"bucket": "b"})


def test_what_the_stand_in_would_ignore_is_refused(aws):
    provider = configured()
    with pytest.raises(ProviderError, match="acl of aws:s3/bucket:Bucket: the stand-in aws provider does not support"):
        create(provider, BUCKET, {"bucket": "b", "acl": "private"})
    with pytest.raises(ProviderError, match=r"aws:sns/topic:Topic: .* It previews all types, and makes aws:amp"):
        create(provider, "aws:sns/topic:Topic", {"name": "t"})
    assert create(provider, "aws:sns/topic:Topic", {"name": "t"}, preview=True)["name"] == "t"


def test_emulator_that_does_not_know_an_operation_is_one_clear_error(aws):
    inputs = {"clusterName": "c", "addonName": "coredns"}
    with pytest.raises(ProviderError, match=rf"eks create_addon at {aws}: this endpoint does not know the operation"):
        create(configured(), ADDON, inputs)


def test_name_is_made_up_once():
    seed = b"1234"
    first = asyncio.run(AwsProvider().check(rpc.CheckRequest(urn(BUCKET), {}, {}, seed)))
    name = plain(first.inputs or {})["bucket"]
    assert name.startswith("logical-")
    again = asyncio.run(AwsProvider().check(rpc.CheckRequest(urn(BUCKET), first.inputs or {}, {}, b"other")))
    assert plain(again.inputs or {})["bucket"] == name


def stubbed(answers: list[tuple[str, dict[str, Any], dict[str, Any]]]) -> Service:
    """EKS by botocore's own stub, which knows the service's model: moto has only its clusters."""
    client: Any = boto3.client("eks", region_name=REGION, aws_access_key_id="k", aws_secret_access_key="s")
    stub = Stubber(client)
    for operation, given, answer in answers:
        stub.add_response(operation, answer, given)
    stub.activate()
    return Service(client)


def test_add_on_is_asked_for_as_eks_takes_it():
    version = EKS_ADDONS["aws-ebs-csi-driver"]
    inputs = {
        "clusterName": "c",
        "addonName": "aws-ebs-csi-driver",
        "addonVersion": version,
        "podIdentityAssociations": [{"roleArn": "arn:aws:iam::123456789012:role/csi", "serviceAccount": "sa"}],
        "resolveConflictsOnCreate": "NONE",
        "resolveConflictsOnUpdate": "PRESERVE",
        "preserve": True,
        "region": REGION,
        "tags": {"owner": "team"},
    }
    key = {"clusterName": "c", "addonName": "aws-ebs-csi-driver"}
    there = {
        "addon": {**key, "addonVersion": version, "addonArn": "arn:x", "status": "ACTIVE", "tags": {"owner": "team"}}
    }
    asked = {
        **key,
        "addonVersion": version,
        "podIdentityAssociations": inputs["podIdentityAssociations"],
        "resolveConflicts": "NONE",
        "tags": {"owner": "team"},
    }
    kind = KINDS[ADDON]
    service = stubbed([("create_addon", asked, there), ("describe_addon", key, there), ("describe_addon", key, there)])
    answer = service.call(*kind.create(inputs))
    found = kind.identify(inputs, answer)
    kind.after(service, found, inputs)
    assert found == "c:aws-ebs-csi-driver"
    assert kind.live(service, found, inputs)["addonVersion"] == version


def test_identity_of_pods_is_asked_for_as_eks_takes_it_and_can_be_gone():
    inputs = {
        "clusterName": "c",
        "namespace": "n",
        "serviceAccount": "s",
        "roleArn": "arn:aws:iam::1:role/r",
        "tags": {},
    }
    answer = {"association": {"associationId": "a-1", "associationArn": "arn:y", **inputs}}
    where = {"clusterName": "c", "associationId": "a-1"}
    service = stubbed(
        [
            ("create_pod_identity_association", inputs, answer),
            ("describe_pod_identity_association", where, answer),
        ]
    )
    kind = KINDS[IDENTITY]
    found = kind.identify(inputs, service.call(*kind.create({**inputs, "region": REGION})))
    assert kind.live(service, found, inputs)["roleArn"] == "arn:aws:iam::1:role/r"
    gone: Any = boto3.client("eks", region_name=REGION, aws_access_key_id="k", aws_secret_access_key="s")
    stub = Stubber(gone)
    stub.add_client_error("describe_pod_identity_association", "ResourceNotFoundException", "no such thing")
    with stub, pytest.raises(GoneError, match="no such thing"):
        kind.live(Service(gone), found, inputs)


def test_login_is_no_part_of_what_is_shown():
    provider = configured(**{**OFFLINE, "secretKey": "hunter22"})
    inputs = {**properties({"secretId": "s"}, {}), "secretString": PropertyValue("hunter22", is_secret=True)}
    request = rpc.CreateRequest(urn("aws:secretsmanager/secretVersion:SecretVersion"), inputs, 0, False)
    with environment(AWS_ENDPOINT_URL=NOWHERE, AWS_MAX_ATTEMPTS="1"), pytest.raises(ProviderError) as caught:
        asyncio.run(provider.create(request))
    assert "hunter22" not in str(caught.value)
