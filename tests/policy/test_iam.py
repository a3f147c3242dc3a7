"""Policy rules on permissions in AWS and in the cluster."""

import json
from typing import Any

import pytest

from policy.resource import UNKNOWN
from tests.policy.judged import aws, judged, kubernetes

BUCKET = "arn:aws:s3:::logs"


def policy(**statement: Any) -> str:
    allowed = {"Sid": "It", "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": [BUCKET]}
    return json.dumps({"Version": "2012-10-17", "Statement": [{**allowed, **statement}]})


@pytest.mark.parametrize(
    ("statement", "problems"),
    [
        ({}, []),
        ({"Resource": f"{BUCKET}/*"}, []),
        ({"Resource": "arn:aws:logs:eu-west-1:111122223333:log-group/a/*"}, []),
        ({"Effect": "Deny", "Action": "s3:*", "Resource": "*", "Principal": "*"}, []),
        ({"Principal": {"Service": "pods.eks.amazonaws.com"}}, []),
        ({"Action": "*"}, ["action *"]),
        ({"Action": ["s3:Get*", "s3:PutObject"]}, ["action s3:Get*"]),
        ({"Resource": "*"}, ["resource *"]),
        ({"Resource": ["arn:aws:s3:::*"]}, ["resource arn:aws:s3:::*"]),
        ({"Resource": ["arn:aws:s3:::*/*"]}, ["resource arn:aws:s3:::*/*"]),
        ({"Resource": ["arn:aws:s3:::logs-*/a"]}, ["resource arn:aws:s3:::logs-*/a"]),
        ({"Resource": ["arn:aws:iam::*:role/admin"]}, ["resource arn:aws:iam::*:role/admin"]),
        ({"NotAction": "iam:*"}, ["NotAction allows everything except a few"]),
        ({"NotResource": BUCKET}, ["NotResource allows everything except a few"]),
        ({"Principal": "*"}, ["principal *"]),
        ({"Principal": {"AWS": ["111122223333", "*"]}}, ["principal *"]),
    ],
)
def test_statements_have_no_wildcards(statement: dict[str, Any], problems: list[str]) -> None:
    for type_, key in (("iam/rolePolicy:RolePolicy", "policy"), ("s3/bucketPolicy:BucketPolicy", "policy")):
        found = judged("iam-no-wildcard", aws(type_, {key: policy(**statement)}))
        assert found == [f"statement It: {problem}" for problem in problems]


def test_a_single_statement_need_not_be_in_a_list() -> None:
    document = {"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": BUCKET}}
    assert judged("iam-no-wildcard", aws("iam/policy:Policy", {"policy": document})) == ["statement 0: action s3:*"]


def test_an_unknown_document_passes_and_invalid_json_does_not() -> None:
    assert judged("iam-no-wildcard", aws("iam/policy:Policy", {"policy": UNKNOWN})) == []
    assert judged("iam-no-wildcard", aws("iam/policy:Policy", {"policy": "{"})) == ["policy is not JSON"]


def test_a_key_policy_may_name_its_own_key_by_a_star() -> None:
    document = policy(Resource="*", Principal={"AWS": "arn:aws:iam::111122223333:root"}, Action="kms:Decrypt")
    assert judged("iam-no-wildcard", aws("kms/key:Key", {"policy": document})) == []
    document = policy(Resource="*", Action="kms:*")
    assert judged("iam-no-wildcard", aws("kms/key:Key", {"policy": document})) == ["statement It: action kms:*"]


@pytest.mark.parametrize(
    ("name", "fine"),
    [
        ("service-role/AmazonEBSCSIDriverPolicy", True),
        ("AmazonEKSClusterPolicy", True),
        ("AdministratorAccess", False),
        ("PowerUserAccess", False),
        ("AmazonS3FullAccess", False),
    ],
)
def test_broad_policies_of_aws_are_refused(name: str, fine: bool) -> None:
    attachment = aws("iam/rolePolicyAttachment:RolePolicyAttachment", {"policyArn": f"arn:aws:iam::aws:policy/{name}"})
    assert (judged("iam-no-broad-policy", attachment) == []) is fine


@pytest.mark.parametrize("kind", ["ClusterRole", "Role"])
@pytest.mark.parametrize(
    ("rule", "problems"),
    [
        ({"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}, []),
        ({"nonResourceURLs": ["/metrics"], "verbs": ["get"]}, []),
        ({"apiGroups": ["*"], "resources": ["pods"], "verbs": ["get"]}, ["apiGroups has *; allowed: names"]),
        ({"apiGroups": [""], "resources": ["*"], "verbs": ["get"]}, ["resources has *; allowed: names"]),
        ({"apiGroups": [""], "resources": ["pods"], "verbs": ["*"]}, ["verbs has *; allowed: names"]),
        (
            {"apiGroups": [""], "resources": ["users"], "verbs": ["impersonate"]},
            ["verb impersonate allows privilege escalation"],
        ),
    ],
)
def test_cluster_roles_have_no_wildcards(kind: str, rule: dict[str, Any], problems: list[str]) -> None:
    role = kubernetes(f"rbac.authorization.k8s.io/v1:{kind}", {"rules": [rule]})
    assert judged("rbac-no-wildcard", role) == problems
