"""The rights of the workflows' roles, held against requests: of their own stack, of another stack, and to break out."""

import dataclasses
import json
import re

import pytest

from bootstrap import rights
from bootstrap.settings import BootstrapSettings
from components.eks.policies import ClusterIdentity
from tests.eks.iam_lint import NEWER, parliament
from tests.eks.iam_simulation import Request, allowed

ACCOUNT, REGION = "444455556666", "eu-central-1"
SETTINGS = BootstrapSettings(
    account_id=ACCOUNT,
    region=REGION,
    state_bucket="acme-pulumi-state",
    stacks=("staging", "production"),
    repository="acme/observability",
    github_provider_arn="",
    hosted_zone_role_arn="",
    search_role=False,
)
KEYS = f"arn:aws:kms:{REGION}:{ACCOUNT}:key"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/observability-boundary"
READ = rights.read_rights(SETTINGS, f"{KEYS}/of-the-bucket", "staging")
WRITE = rights.write_rights(SETTINGS, f"{KEYS}/of-the-bucket", "staging", BOUNDARY)
STATES = "arn:aws:s3:::acme-pulumi-state"
VIA_S3 = {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}
ROLE = f"arn:aws:iam::{ACCOUNT}:role"
LOKI = f"{ROLE}/{ClusterIdentity('observability-staging', REGION, ACCOUNT).role_name('loki')}"

# What Pulumi's backend for object stores reads and writes (pkg/backend/diy).
STATE = (
    ".pulumi/meta.yaml",
    ".pulumi/stacks/observability/{}.json",
    ".pulumi/stacks/observability/{}.json.bak",
    ".pulumi/history/observability/{}/{}-1790000000.history.json",
    ".pulumi/backups/observability/{}/{}.1790000000.json",
    ".pulumi/locks/organization/observability/{}/0123.json",
)


@pytest.mark.parametrize("name", STATE)
def test_a_role_reads_and_writes_the_state_of_its_stack_only(name: str) -> None:
    own, other, longer = (f"{STATES}/{name.format(stack, stack)}" for stack in ("staging", "production", "staging-2"))
    assert allowed(Request("s3:GetObject", own), READ)
    assert allowed(Request("s3:PutObject", own), READ, WRITE)
    assert not allowed(Request("s3:PutObject", own), READ)
    for foreign in {other, longer} - {own}:
        assert not allowed(Request("s3:GetObject", foreign), READ, WRITE)
        assert not allowed(Request("s3:PutObject", foreign), READ, WRITE)


@pytest.mark.parametrize("action", ["eks:DeleteCluster", "kms:PutKeyPolicy", "eks:CreateAccessEntry"])
def test_a_role_changes_what_its_stack_made(action: str) -> None:
    assert allowed(Request(action, context={"aws:ResourceTag/stack": "staging"}), WRITE)
    assert not allowed(Request(action, context={"aws:ResourceTag/stack": "production"}), WRITE)
    assert not allowed(Request(action), WRITE)


def test_it_lists_the_bucket_and_opens_its_objects() -> None:
    assert allowed(Request("s3:ListBucket", STATES), READ)
    assert allowed(Request("kms:Decrypt", f"{KEYS}/of-the-bucket", VIA_S3), READ)
    assert allowed(Request("kms:GenerateDataKey", f"{KEYS}/of-the-bucket", VIA_S3), READ, WRITE)
    assert not allowed(Request("kms:Decrypt", f"{KEYS}/of-the-bucket"), READ, WRITE)


def test_it_opens_the_secrets_of_its_stack_only() -> None:
    def asks(action: str, stack: str) -> Request:
        return Request(action, f"{KEYS}/of-{stack}", {"kms:ResourceAliases": [rights.state_alias(stack)]})

    assert allowed(asks("kms:Decrypt", "staging"), READ)
    assert allowed(asks("kms:Encrypt", "staging"), READ, WRITE)
    for action in ("kms:Decrypt", "kms:Encrypt"):
        assert not allowed(asks(action, "production"), READ, WRITE)


@pytest.mark.parametrize("action", ["iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy"])
def test_a_deployment_gives_rights_only_to_bounded_roles(action: str) -> None:
    assert allowed(Request(action, LOKI, {"iam:PermissionsBoundary": BOUNDARY}), READ, WRITE)
    for context in ({}, {"iam:PermissionsBoundary": f"arn:aws:iam::{ACCOUNT}:policy/other"}):
        assert not allowed(Request(action, LOKI, context), READ, WRITE)


def test_a_deployment_cannot_change_its_own_rights() -> None:
    bounded = {"iam:PermissionsBoundary": BOUNDARY}
    for stack in ("staging", "production"):
        for purpose in ("preview", "deploy"):
            own = f"{ROLE}/observability-{stack}-{purpose}"
            for action in ("iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy", "iam:AttachRolePolicy"):
                assert not allowed(Request(action, own, bounded), READ, WRITE)
    for action in ("iam:DeleteRolePermissionsBoundary", "iam:PutRolePermissionsBoundary", "iam:CreatePolicyVersion"):
        assert not allowed(Request(action, LOKI, bounded), READ, WRITE)
        assert not allowed(Request(action, BOUNDARY, bounded), READ, WRITE)


def test_a_bounded_role_cannot_give_itself_rights() -> None:
    limit = rights.boundary("aws")
    everything = {"Statement": [{"Effect": "Allow", "Action": ["*"], "Resource": ["*"]}]}
    for action, resource in (
        ("iam:PutRolePolicy", LOKI),
        ("iam:CreateUser", "*"),
        ("sts:AssumeRole", f"{ROLE}/admin"),
        ("secretsmanager:GetSecretValue", "*"),
        ("s3:GetObject", "arn:aws:s3:::payroll/x"),
    ):
        assert allowed(Request(action, resource), everything)
        assert not allowed(Request(action, resource), limit), action


def test_every_right_of_the_platform_s_roles_is_within_the_boundary() -> None:
    limit = rights.boundary("aws")
    for action, resource in (
        ("s3:GetObject", "arn:aws:s3:::observability-staging-logs/x"),
        ("aps:RemoteWrite", f"arn:aws:aps:{REGION}:{ACCOUNT}:workspace/ws-1"),
        ("xray:PutTraceSegments", "*"),
        ("kms:GenerateDataKey", f"{KEYS}/1"),
        ("ec2:CreateVolume", "*"),
        ("elasticloadbalancing:CreateLoadBalancer", "*"),
        ("ecr:GetAuthorizationToken", "*"),
        ("eks-auth:AssumeRoleForPodIdentity", "*"),
    ):
        assert allowed(Request(action, resource), limit), action


def test_a_role_reaches_the_hosted_zone_of_another_account_only_if_that_is_set() -> None:
    role = "arn:aws:iam::999999999999:role/dns"
    there = dataclasses.replace(SETTINGS, hosted_zone_role_arn=role)
    assert allowed(Request("sts:AssumeRole", role), rights.read_rights(there, f"{KEYS}/of-the-bucket", "staging"))
    assert not allowed(Request("sts:AssumeRole", role), READ, WRITE)


@pytest.mark.parametrize("stack", ["staging", "a" * 32])
def test_aws_takes_the_policies(stack: str) -> None:
    documents = (
        rights.read_rights(
            dataclasses.replace(SETTINGS, hosted_zone_role_arn=f"arn:aws:iam::999999999999:role/{'a' * 64}"),
            f"{KEYS}/{'0' * 36}",
            stack,
        ),
        rights.write_rights(SETTINGS, f"{KEYS}/{'0' * 36}", stack, BOUNDARY),
        rights.boundary("aws"),
    )
    for document in documents:
        assert len(re.sub(r"\s", "", json.dumps(document))) <= 6144
        sids = [statement["Sid"] for statement in document["Statement"]]
        assert len(sids) == len(set(sids))
        for statement in document["Statement"]:
            for action in statement["Action"]:
                assert action in NEWER or parliament.expand_action(action), action


@pytest.mark.parametrize(
    ("region", "partition"), [("eu-central-1", "aws"), ("us-gov-west-1", "aws-us-gov"), ("cn-north-1", "aws-cn")]
)
def test_arns_have_the_region_s_partition(region: str, partition: str) -> None:
    there = BootstrapSettings(**{**SETTINGS.__dict__, "region": region})
    text = json.dumps([rights.read_rights(there, "k", "s"), rights.write_rights(there, "k", "s", "b")])
    assert set(re.findall(r"arn:(aws[a-z-]*):", text)) == {partition}
    assert "111122223333" not in text
    assert "example-pulumi-state" not in text
