"""Least privilege, action by action: what each policy allows is written here a second time."""

from typing import Any

import pytest

from components.eks import policies
from components.eks.policies import ClusterIdentity
from components.eks.search_domain import domain_name
from tests.eks.iam_lint import findings, granted
from tests.eks.names import CLUSTER, KEY

CHUNKS = "arn:aws:s3:::observability-staging-chunks"
RULER = "arn:aws:s3:::observability-staging-ruler"
WORKSPACE = "arn:aws:aps:eu-central-1:111122223333:workspace/ws-0123"

RIGHTS = {
    "loki": policies.loki([CHUNKS, RULER], KEY),
    "loki without key": policies.loki([CHUNKS], None),
    "workspace": policies.workspace(WORKSPACE),
    "role of another account": policies.assume("arn:aws:iam::999999999999:role/metrics"),
    "xray": policies.xray(),
    "volumes": policies.volumes(KEY),
}
TRUST = {
    "pods": policies.pod_trust(CLUSTER, "observability", "loki"),
    "control plane": policies.control_plane_trust(CLUSTER),
    "nodes": policies.node_trust(),
}


@pytest.mark.parametrize("document", [*RIGHTS.values(), *TRUST.values()], ids=[*RIGHTS, *TRUST])
def test_passes_the_linters(document: dict[str, Any]) -> None:
    assert findings(document) == []


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        (
            "loki",
            {
                "s3:ListBucket": [CHUNKS, RULER],
                "s3:GetObject": [f"{CHUNKS}/*", f"{RULER}/*"],
                "s3:PutObject": [f"{CHUNKS}/*", f"{RULER}/*"],
                "s3:DeleteObject": [f"{CHUNKS}/*", f"{RULER}/*"],
                "kms:Decrypt": [KEY],
                "kms:GenerateDataKey": [KEY],
            },
        ),
        (
            "loki without key",
            {
                "s3:ListBucket": [CHUNKS],
                "s3:GetObject": [f"{CHUNKS}/*"],
                "s3:PutObject": [f"{CHUNKS}/*"],
                "s3:DeleteObject": [f"{CHUNKS}/*"],
            },
        ),
        (
            "workspace",
            {
                "aps:RemoteWrite": [WORKSPACE],
                "aps:QueryMetrics": [WORKSPACE],
                "aps:GetLabels": [WORKSPACE],
                "aps:GetSeries": [WORKSPACE],
                "aps:GetMetricMetadata": [WORKSPACE],
            },
        ),
        ("xray", {"xray:PutSpans": ["*"], "xray:PutSpansForIndexing": ["*"], "xray:PutTraceSegments": ["*"]}),
        (
            "volumes",
            {
                "kms:Decrypt": [KEY],
                "kms:DescribeKey": [KEY],
                "kms:GenerateDataKeyWithoutPlaintext": [KEY],
                "kms:ReEncryptFrom": [KEY],
                "kms:ReEncryptTo": [KEY],
                "kms:CreateGrant": [KEY],
            },
        ),
    ],
)
def test_allows_exactly(name: str, allowed: dict[str, list[str]]) -> None:
    assert granted(RIGHTS[name]) == allowed


def test_rights_of_two_statements_add_up() -> None:
    both = policies.workspace(WORKSPACE)["Statement"] + policies.workspace(f"{WORKSPACE}4")["Statement"]
    assert granted({"Statement": both})["aps:RemoteWrite"] == [WORKSPACE, f"{WORKSPACE}4"]


@pytest.mark.parametrize(("name", "service"), [("loki", "s3"), ("volumes", "ec2")])
def test_a_key_opens_only_through_its_service(name: str, service: str) -> None:
    keyed = [statement for statement in RIGHTS[name]["Statement"] if KEY in statement["Resource"]]
    assert keyed
    for statement in keyed:
        via = statement["Condition"]["StringEquals"]
        assert via == {"kms:ViaService": f"{service}.eu-central-1.amazonaws.com"}


def test_grants_on_a_key_are_for_aws_only() -> None:
    (grant,) = [item for item in RIGHTS["volumes"]["Statement"] if "kms:CreateGrant" in item["Action"]]
    assert grant["Condition"]["Bool"] == {"kms:GrantIsForAWSResource": "true"}


def test_a_role_trusts_one_service_account_of_one_cluster() -> None:
    (statement,) = TRUST["pods"]["Statement"]
    assert statement["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    assert statement["Action"] == ["sts:AssumeRole", "sts:TagSession"]
    assert statement["Condition"] == {
        "StringEquals": {
            "aws:SourceAccount": "111122223333",
            "aws:RequestTag/eks-cluster-arn": "arn:aws:eks:eu-central-1:111122223333:cluster/eks-test",
            "aws:RequestTag/kubernetes-namespace": "observability",
            "aws:RequestTag/kubernetes-service-account": "loki",
        }
    }


def test_the_control_plane_s_role_is_for_one_cluster() -> None:
    (statement,) = TRUST["control plane"]["Statement"]
    assert statement["Principal"] == {"Service": "eks.amazonaws.com"}
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "111122223333"},
        "ArnLike": {"aws:SourceArn": "arn:aws:eks:eu-central-1:111122223333:cluster/eks-test"},
    }


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-central-1", "aws"), ("ap-southeast-2", "aws"), ("us-gov-west-1", "aws-us-gov"), ("cn-north-1", "aws-cn")],
)
def test_arns_name_the_region_s_partition(region: str, partition: str) -> None:
    cluster = ClusterIdentity("eks-test", region, "111122223333")
    assert cluster.arn == f"arn:{partition}:eks:{region}:111122223333:cluster/eks-test"
    assert cluster.managed_policy("X") == f"arn:{partition}:iam::aws:policy/X"


def test_role_names_fit_iam_and_stay_apart() -> None:
    assert CLUSTER.role_name("loki") == "eks-test-eu-central-1-observability-loki"
    long = ClusterIdentity("c" * 100, "eu-central-1", "111122223333")
    names = {long.role_name(user) for user in ("loki", "prometheus", "otel-gateway")}
    assert len(names) == 3
    assert {len(name) for name in names} == {64}
    assert all("-observability-" in name for name in names), "docs/iam/write.json limits roles by it"


def test_names_meet_neither_in_another_region_nor_with_another_prefix() -> None:
    same = {"name": "prod", "account_id": "111122223333"}
    clusters = [ClusterIdentity(region=region, **same) for region in ("eu-central-1", "us-east-1")]
    assert len({one.role_name("loki") for one in clusters}) == 2


def test_a_cluster_that_replaces_another_keeps_the_names_of_its_stores() -> None:
    old, new = (ClusterIdentity(name, "eu-central-1", "111122223333", "prod") for name in ("blue", "green"))
    assert old.prefix == new.prefix == "prod-observability"
    assert domain_name(old) == domain_name(new)
    assert old.arn != new.arn


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        ({"Action": ["s3:*"], "Resource": [f"{CHUNKS}/*"]}, "A: Action: wildcard in s3:*"),
        ({"Action": ["s3:GetObject"], "Resource": ["*"]}, "A: Resource: * for s3:GetObject"),
        ({"Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::*/*"]}, "A: Resource: wildcard in arn:aws:s3:::*/*"),
        ({"Action": ["s3:ListBucket"], "Resource": [f"{CHUNKS}/*"]}, "RESOURCE_MISMATCH"),
        ({"Action": ["s3:HeadObject"], "Resource": [f"{CHUNKS}/*"]}, "UNKNOWN_ACTION"),
        ({"Action": ["s3:GetObject"], "NotResource": [CHUNKS]}, "A: NotResource: not allowed"),
    ],
)
def test_the_linters_see(statement: dict[str, Any], finding: str) -> None:
    document = {"Version": "2012-10-17", "Statement": [{"Sid": "A", "Effect": "Allow", **statement}]}
    assert any(found.startswith(finding) for found in findings(document)), findings(document)
