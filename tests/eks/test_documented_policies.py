"""docs/iam, held against the requests that the engine, its plugins and the checks send, with their condition keys.

tests/manual/test_rights.py compares names of actions only. A condition on a key that AWS does not fill for a request
denies that request, so each request is written here with the keys that AWS documents for it.
"""

import json
from typing import Any

import pytest

from components.eks.policies import ClusterIdentity
from settings.pages import PAGES
from tests.eks.iam_lint import parliament
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


OWN, OF_OTHERS = ({"aws:ResourceTag/stack": stack} for stack in ("example-stack", "payroll"))
EC2 = f"arn:aws:ec2:{REGION}:{ACCOUNT}"
GROUP, RULE = f"{EC2}:security-group/sg-1", f"{EC2}:security-group-rule/sgr-1"


@pytest.mark.parametrize("action", ["kms:CreateAlias", "kms:UpdateAlias", "kms:DeleteAlias"])
def test_an_alias_of_the_platform_names_a_key_of_the_stack(action: str) -> None:
    """KMS developer guide, "Controlling access to aliases": both the alias and the key must be permitted."""
    alias = f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/{ClusterIdentity('staging', REGION, ACCOUNT).prefix}"
    assert allowed(Request(action, alias), WRITE)
    assert not allowed(Request(action, f"arn:aws:kms:{REGION}:{ACCOUNT}:{STATE_ALIAS}"), READ, WRITE)
    assert allowed(Request(action, OTHER_KEY, OWN), WRITE)
    assert not allowed(Request(action, OTHER_KEY, OF_OTHERS), READ, WRITE)
    assert not allowed(Request(action, OTHER_KEY), READ, WRITE)


def test_a_deployment_grants_the_use_of_its_own_key_and_of_others_only_to_a_store() -> None:
    # EKS does not mark its grant for a new cluster as one for a service.
    assert allowed(Request("kms:CreateGrant", OTHER_KEY, OWN), WRITE)
    assert not allowed(Request("kms:CreateGrant", OTHER_KEY, OF_OTHERS), READ, WRITE)
    store = {"kms:ViaService": f"es.{REGION}.amazonaws.com", "kms:GrantIsForAWSResource": "true"}
    assert allowed(Request("kms:CreateGrant", OTHER_KEY, store), WRITE)
    assert not allowed(Request("kms:CreateGrant", OTHER_KEY, store | {"kms:GrantIsForAWSResource": "false"}), WRITE)
    assert not allowed(Request("kms:CreateGrant", OTHER_KEY, {"kms:GrantIsForAWSResource": "true"}), WRITE)


def test_a_security_group_is_created_with_its_stacks_tag() -> None:
    tagged = {"aws:RequestTag/stack": "example-stack"}
    assert allowed(Request("ec2:CreateSecurityGroup", f"{EC2}:vpc/vpc-1"), WRITE)
    for action, made in (("CreateSecurityGroup", GROUP), ("AuthorizeSecurityGroupIngress", RULE)):
        assert allowed(Request(f"ec2:{action}", made, tagged), WRITE)
        assert not allowed(Request(f"ec2:{action}", made), READ, WRITE)
        assert allowed(Request("ec2:CreateTags", made, tagged | {"ec2:CreateAction": action}), WRITE)
    # The tag is no way to what exists already.
    assert not allowed(Request("ec2:CreateTags", GROUP, tagged), READ, WRITE)
    assert not allowed(Request("ec2:AuthorizeSecurityGroupIngress", GROUP, tagged), READ, WRITE)
    assert not allowed(Request("ec2:CreateTags", f"{EC2}:instance/i-1", tagged), READ, WRITE)


@pytest.mark.parametrize("action", ["AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress", "DeleteTags"])
def test_a_deployment_changes_the_rules_of_its_own_groups(action: str) -> None:
    for resource in (GROUP, RULE):
        assert allowed(Request(f"ec2:{action}", resource, OWN), WRITE)
        assert not allowed(Request(f"ec2:{action}", resource, OF_OTHERS), READ, WRITE)
        assert not allowed(Request(f"ec2:{action}", resource), READ, WRITE)


@pytest.mark.parametrize("action", ["Authorize", "Revoke"])
def test_a_deployment_admits_callers_of_the_api_to_the_group_of_its_cluster(action: str) -> None:
    """EKS gives that group this tag, and no tag of the cluster."""

    def ingress(cluster: str) -> Request:
        return Request(f"ec2:{action}SecurityGroupIngress", GROUP, {"aws:ResourceTag/aws:eks:cluster-name": cluster})

    assert allowed(ingress("observability-staging"), WRITE)
    assert not allowed(ingress("payroll"), READ, WRITE)


def test_a_deployment_writes_the_records_of_its_pages_only() -> None:
    def change(name: str, kind: str = "CNAME") -> Request:
        names = {"ChangeResourceRecordSetsNormalizedRecordNames": [name], "ChangeResourceRecordSetsRecordTypes": [kind]}
        context = {f"route53:{key}": value for key, value in names.items()}
        return Request("route53:ChangeResourceRecordSets", "arn:aws:route53:::hostedzone/Z1", context)

    for page in PAGES:
        host = f"{page}.staging.example.com"
        for name in (host, f"_3639ac514e785e898d2646601fa951d5.{host}"):
            assert allowed(change(name), WRITE), name
            assert not allowed(change(name, "MX"), READ, WRITE)
    for name in ("example.com", "www.example.com", "_acme-challenge.example.com", "grafana"):
        assert not allowed(change(name), READ, WRITE), name


def test_the_service_authorization_reference_has_the_conditions_on_groups_and_records() -> None:
    """The linter contains that reference. What it says of KMS lacks aws:ResourceTag, which "Permissions reference" of
    the KMS developer guide has."""
    known = {service["prefix"]: service["privileges"] for service in parliament.iam_definition}
    for statement in WRITE["Statement"]:
        keys = {key for condition in statement.get("Condition", {}).values() for key in condition}
        for service, name in (action.split(":") for action in statement["Action"]):
            if service not in ("ec2", "route53"):
                continue
            (action,) = (one for one in known[service] if one["privilege"] == name)
            listed = {key.partition("/")[0] for one in action["resource_types"] for key in one["condition_keys"]}
            assert {key.partition("/")[0] for key in keys} <= listed, (statement["Sid"], name)


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
