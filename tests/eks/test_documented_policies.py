"""docs/iam, held against the requests that the engine, its plugins and the checks send, with their condition keys.

tests/manual/test_rights.py compares names of actions only. A condition on a key that AWS does not fill for a request
denies that request, so each request is written here with the keys that AWS documents for it.
"""

import json
from typing import Any

import pytest

from components.eks.policies import ClusterIdentity
from tests.eks.iam_simulation import Request, allowed
from tests.mock_engine import ROOT

ACCOUNT, REGION = "111122223333", "eu-central-1"
STATE_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/00000000-0000-0000-0000-000000000001"
OTHER_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/00000000-0000-0000-0000-000000000002"
STATE_ALIAS = "alias/pulumi-state"
BUCKET = "arn:aws:s3:::observability-staging-logs"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/observability-staging-observability-loki"


def policy(name: str) -> dict[str, Any]:
    return json.loads((ROOT / "docs" / "iam" / f"{name}.json").read_text())


READ, WRITE = policy("read"), policy("write")


# Pulumi's secrets provider awskms:// is the keeper of gocloud.dev/secrets/awskms. It encrypts with the key that the URL
# names, and decrypts by the ciphertext alone: a Decrypt has no KeyId, and so no kms:RequestAlias.
def decrypt(key: str, *aliases: str) -> Request:
    return Request("kms:Decrypt", key, {"kms:ResourceAliases": aliases})


def encrypt(key: str, *aliases: str, by: str | None) -> Request:
    asked = {"kms:RequestAlias": by} if by else {}
    return Request("kms:Encrypt", key, {"kms:ResourceAliases": aliases, **asked})


def test_a_preview_opens_its_stack() -> None:
    assert allowed(decrypt(STATE_KEY, STATE_ALIAS), READ)


@pytest.mark.parametrize("by", [STATE_ALIAS, None], ids=["alias", "ARN"])
def test_a_deployment_encrypts_its_stack_however_the_secrets_provider_names_the_key(by: str | None) -> None:
    assert allowed(encrypt(STATE_KEY, STATE_ALIAS, by=by), READ, WRITE)
    assert not allowed(encrypt(STATE_KEY, STATE_ALIAS, by=by), READ), "a preview writes no state"


@pytest.mark.parametrize("aliases", [(), ("alias/payroll",), ("alias/pulumi-state-of-others",)])
def test_no_other_key_is_opened_directly(aliases: tuple[str, ...]) -> None:
    assert not allowed(decrypt(OTHER_KEY, *aliases), READ, WRITE)
    assert not allowed(encrypt(OTHER_KEY, *aliases, by=None), READ, WRITE)


def test_a_preview_reads_secrets_through_their_service() -> None:
    via = {"kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com"}
    assert allowed(Request("kms:Decrypt", OTHER_KEY, via), READ)


# terraform-provider-aws 6.23 (pulumi-aws 7.13) and later: CreateBucket carries the tags, and S3 Control reads them.
@pytest.mark.parametrize("action", ["s3:CreateBucket", "s3:TagResource", "s3:UntagResource", "s3:ListTagsForResource"])
def test_a_bucket_is_created_with_its_tags(action: str) -> None:
    assert allowed(Request(action, BUCKET), READ, WRITE)
    assert not allowed(Request(action, "arn:aws:s3:::somebody-else"), READ, WRITE)


@pytest.mark.parametrize("service", ["ec2.amazonaws.com", "eks.amazonaws.com", "pods.eks.amazonaws.com"])
def test_a_role_is_passed_to_the_services_that_use_it_and_no_others(service: str) -> None:
    assert allowed(Request("iam:PassRole", ROLE, {"iam:PassedToService": service}), READ, WRITE)
    assert not allowed(Request("iam:PassRole", ROLE, {"iam:PassedToService": "lambda.amazonaws.com"}), READ, WRITE)


# What makes somebody an administrator of a cluster, reads or deletes data, or ends a certificate.
TAKING = (
    "eks:AssociateAccessPolicy",
    "eks:CreateAccessEntry",
    "eks:DeleteCluster",
    "eks:UpdatePodIdentityAssociation",
    "kms:PutKeyPolicy",
    "kms:ScheduleKeyDeletion",
    "aps:DeleteWorkspace",
    "es:UpdateDomainConfig",
    "acm:DeleteCertificate",
)
TAGGING = ("eks:TagResource", "kms:TagResource", "aps:TagResource", "es:AddTags", "acm:AddTagsToCertificate")
DOMAIN = f"arn:aws:es:{REGION}:{ACCOUNT}:domain/x"


@pytest.mark.parametrize("action", [*TAKING, *TAGGING])
def test_a_deployment_changes_what_has_its_stacks_tag(action: str) -> None:
    def tagged(stack: str) -> Request:
        return Request(action, DOMAIN, {"aws:ResourceTag/stack": stack})

    assert allowed(tagged("example-stack"), READ, WRITE)
    assert not allowed(tagged("payroll"), READ, WRITE)
    # What others own has no such tag. A new resource, which is tagged as it is made, has none yet.
    assert allowed(Request(action, DOMAIN), READ, WRITE) is (action in TAGGING)


@pytest.mark.parametrize(
    "action", ["eks:CreateCluster", "eks:CreatePodIdentityAssociation", "kms:CreateKey", "aps:CreateWorkspace"]
)
def test_what_a_deployment_makes_has_its_stacks_tag(action: str) -> None:
    assert allowed(Request(action, "*", {"aws:RequestTag/stack": "example-stack"}), WRITE)
    assert not allowed(Request(action, "*", {"aws:RequestTag/stack": "payroll"}), WRITE)
    assert not allowed(Request(action), WRITE)


@pytest.mark.parametrize("service", ["aps", "es"])
def test_a_store_is_created_with_the_platforms_key(service: str) -> None:
    via = {"kms:ViaService": f"{service}.{REGION}.amazonaws.com"}
    for action in ("kms:GenerateDataKey", "kms:Decrypt", "kms:DescribeKey"):
        assert allowed(Request(action, OTHER_KEY, via), READ, WRITE)
    assert not allowed(Request("kms:GenerateDataKey", OTHER_KEY), READ, WRITE)


@pytest.mark.parametrize("region", ["eu-central-1", "ap-southeast-2"])
@pytest.mark.parametrize("cluster", ["observability-staging", "c" * 100])
def test_every_role_of_the_program_has_a_name_that_the_policy_covers(cluster: str, region: str) -> None:
    for user in ("loki", "prometheus", "otel-gateway", "ebs-csi-controller-sa", "control-plane", "node", "grafana"):
        name = ClusterIdentity(cluster, region, ACCOUNT).role_name(user)
        assert allowed(Request("iam:CreateRole", f"arn:aws:iam::{ACCOUNT}:role/{name}"), WRITE), name
        assert len(name) <= 64


@pytest.mark.parametrize(
    ("condition", "context", "expected"),
    [
        ({"StringLike": {"kms:RequestAlias": "alias/*"}}, {}, False),
        ({"StringLikeIfExists": {"kms:RequestAlias": "alias/*"}}, {}, True),
        ({"ForAnyValue:StringEquals": {"kms:ResourceAliases": "a"}}, {"kms:ResourceAliases": ["b", "a"]}, True),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}, {"aws:TagKeys": ["b", "a"]}, False),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}, {}, True),
        ({"StringLike": {"kms:ViaService": "es.*.amazonaws.com"}}, {"kms:ViaService": "es.x.amazonaws.com"}, True),
        ({"Bool": {"kms:GrantIsForAWSResource": "true"}}, {"kms:GrantIsForAWSResource": "false"}, False),
    ],
)
def test_the_simulation_follows_the_rules_of_iam(
    condition: dict[str, Any], context: dict[str, Any], expected: bool
) -> None:
    statement = {"Effect": "Allow", "Action": ["kms:Decrypt"], "Resource": ["*"], "Condition": condition}
    assert allowed(Request("kms:Decrypt", "k", context), {"Statement": [statement]}) is expected
    denied = {"Statement": [{"Effect": "Deny", "Action": ["kms:*"], "Resource": ["*"]}]}
    assert not allowed(Request("kms:Decrypt", "k", context), {"Statement": [statement]}, denied)
