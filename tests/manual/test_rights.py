"""The IAM policies of docs/eks.md for previews and deployments allow every AWS call of the program."""

import ast
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

from tests.eks.iam_lint import NEWER, parliament
from tests.mock_engine import ROOT, Recorded

FOLDER = ROOT / "docs" / "iam"
PREFLIGHT = sorted((ROOT / "components" / "eks" / "preflight").glob("*.py"))
# The calls behind each kind of resource. The official provider cannot run here, so the list holds the calls that a
# provider of this project once made for the same resources. A policy that lacks an action of the official provider
# shows at the first `pulumi up` in an account.
CALLS: dict[str, list[str]] = yaml.safe_load((ROOT / "tests/manual/aws_calls.yaml").read_text())
SERVICES = ("acm", "amp", "ec2", "eks", "iam", "kms", "logs", "opensearch", "route53", "s3", "secretsmanager", "xray")
PREFIXES = {"amp": "aps", "opensearch": "es"}
"""Maps boto3's name of a service to IAM's, where they differ."""
NAMES = {
    "s3:DeleteBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:DeleteBucketLifecycle": "s3:PutLifecycleConfiguration",
    "s3:DeleteBucketOwnershipControls": "s3:PutBucketOwnershipControls",
    "s3:DeleteObjects": "s3:DeleteObject",
    "s3:DeletePublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
}
"""Maps an operation to the IAM action that it needs, where their names differ."""
MANAGED_POLICY_LENGTH = 6144
"""Largest number of characters in a customer managed policy, without white space (IAM quotas)."""


def policy(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.json").read_text())


def actions(name: str) -> set[str]:
    return {action for statement in policy(name)["Statement"] for action in statement["Action"]}


@cache
def operations(service: str) -> dict[str, str]:
    """Maps boto3's methods of a service to operations."""
    client: Any = boto3.client(service, region_name="eu-central-1")
    return client.meta.method_to_api_mapping


def words(file: Path) -> Iterator[str]:
    """Names of attributes, and texts, in a file. Methods such as `create_role` are among them."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def needed(file: Path) -> set[str]:
    """The IAM actions behind a file's calls. The file names its services: `client("s3", …)`, `service="s3"` or
    `EKSClient`."""
    found = set(words(file))
    found |= {service for service in SERVICES if f"{service.upper()}Client" in found}
    called = {
        f"{PREFIXES.get(service, service)}:{operations(service)[word]}"
        for service in found & set(SERVICES)
        for word in found & operations(service).keys()
    }
    return {NAMES.get(action, action) for action in called}


@pytest.mark.parametrize("file", PREFLIGHT, ids=lambda file: file.stem)
def test_calls_of_the_program_are_allowed(file: Path) -> None:
    assert needed(file) - actions("read") == set(), file.name


@pytest.mark.parametrize("service", CALLS)
def test_calls_of_the_provider_are_allowed(service: str) -> None:
    assert set(CALLS[service]) - actions("read") - actions("write") == set()


def test_every_service_of_the_program_has_recorded_calls(program: Callable[..., Recorded]) -> None:
    types = {one.type for one in program("production").resources if one.type.startswith("aws:")}
    modules = {one.split(":")[1].partition("/")[0] for one in types}
    assert modules <= CALLS.keys()


def test_the_scan_finds_known_calls() -> None:
    found = set[str]().union(*(needed(file) for file in PREFLIGHT))
    assert {"eks:DescribeAddon", "route53:GetHostedZone", "s3:ListBucket"} <= found


@pytest.mark.parametrize("name", ["read", "write"])
def test_aws_knows_each_action_and_the_policy_is_short_enough(name: str) -> None:
    assert len(re.sub(r"\s", "", (FOLDER / f"{name}.json").read_text())) <= MANAGED_POLICY_LENGTH
    sids = [statement["Sid"] for statement in policy(name)["Statement"]]
    assert len(sids) == len(set(sids))
    for action in actions(name):
        assert "*" not in action
        if action in NEWER:
            assert action.split(":")[1] in operations("amp").values()
            continue
        # The linter's list has some actions twice.
        assert dict(zip(("service", "action"), action.split(":"), strict=True)) in parliament.expand_action(action)


def test_the_policy_for_previews_cannot_change_anything() -> None:
    verbs = ("Describe", "Get", "List")
    assert {action for action in actions("read") if not action.split(":")[1].startswith(verbs)} == {"kms:Decrypt"}


def test_the_two_policies_do_not_repeat_each_other() -> None:
    # Both need keys: a preview to read secrets, and a deployment to create stores, each only through its own service.
    assert actions("read") & actions("write") == {"kms:Decrypt", "kms:DescribeKey"}
