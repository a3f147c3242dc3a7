"""The platform's key: what it is, and that its policy lets nobody decrypt but through the services that store."""

import json
from collections.abc import Callable
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from components.eks.encryption import EncryptionKey, EncryptionKeyArgs, key_policy
from components.eks.policies import ClusterIdentity
from tests.eks.iam_lint import granted
from tests.eks.names import CLUSTER
from tests.mock_engine import Recorded

ROLES = ["arn:aws:iam::111122223333:role/eks-auto", "arn:aws:iam::111122223333:role/ebs-csi"]
ADMINS = ["arn:aws:iam::111122223333:role/deploy", "arn:aws:iam::111122223333:role/break-glass"]
USE = {"kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext"}


def _args(*, cluster: ClusterIdentity = CLUSTER, **more: Any) -> EncryptionKeyArgs:
    args: EncryptionKeyArgs = {
        "identity": cluster,
        "volume_role_arns": (),
        "log_groups": (),
        "cluster_admin_role_arns": (),
        "protect": True,
    }
    return {**args, **more}


def _key(engine: Callable[..., Recorded], *, preview: bool = False, protect: bool = True) -> Recorded:
    def program() -> None:
        provider = pulumi.ResourceOptions(provider=aws.Provider("aws", region=CLUSTER.region))
        EncryptionKey("encryption", _args(protect=protect), provider)

    return engine(program, preview=preview)


def _statements(**more: Any) -> dict[str, dict[str, Any]]:
    return {statement["Sid"]: statement for statement in key_policy(_args(**more))["Statement"]}


def test_the_key_rotates_and_is_hard_to_lose(engine: Callable[..., Recorded], preview: bool) -> None:
    recorded = _key(engine, preview=preview)
    (key,) = recorded.of("Key")
    assert key.inputs.pop("policy") == json.dumps(key_policy(_args()))
    assert key.inputs == {
        "description": "Data at rest of the observability platform in the EKS cluster eks-test",
        "enableKeyRotation": True,
        "deletionWindowInDays": 30,
    }
    (alias,) = recorded.of("Alias")
    assert alias.inputs["name"] == "alias/eks-test-observability"
    assert (key.parent, key.protect, key.retain, alias.protect) == ("encryption", True, True, True)
    assert key.provider.split("::")[-2] == "aws"
    if not preview:
        assert recorded.outputs["encryption"] == {
            "arn": "arn:aws:kms:eu-central-1:111122223333:key/encryption-key",
            "alias": "alias/eks-test-observability",
        }


def test_protection_is_the_stack_s_choice(engine: Callable[..., Recorded]) -> None:
    (key,) = _key(engine, protect=False).of("Key")
    assert (key.protect, key.retain) == (False, False)


def test_only_the_own_account_and_no_wildcard() -> None:
    for statement in _statements().values():
        assert statement["Principal"] == {"AWS": "arn:aws:iam::111122223333:root"}
        assert not [action for action in statement["Action"] if "*" in action]
        assert statement["Resource"] == "*", "in a key's policy this is the key"


def test_data_is_read_through_the_services_that_store_it_only() -> None:
    using = {sid for sid, statement in _statements().items() if USE & set(statement["Action"])}
    assert using == {"UseThroughServices"}
    assert _statements()["UseThroughServices"]["Condition"] == {
        "StringEquals": {
            "kms:ViaService": [
                f"{service}.eu-central-1.amazonaws.com" for service in ("aps", "ec2", "es", "s3", "secretsmanager")
            ]
        }
    }


def test_grants_are_for_services_only() -> None:
    granting = {sid: one for sid, one in _statements().items() if "kms:CreateGrant" in one["Action"]}
    assert granting["GrantsToServices"]["Condition"] == {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    assert len(granting) == 1


def test_the_account_can_always_mend_the_policy() -> None:
    """A key whose policy nobody may change is lost to AWS' support, too."""
    administration = _statements()["Administration"]
    assert {"kms:PutKeyPolicy", "kms:GetKeyPolicy", "kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion"} <= set(
        administration["Action"]
    )
    assert "Condition" not in administration


@pytest.mark.parametrize(("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")])
def test_other_partitions(region: str, partition: str) -> None:
    there = ClusterIdentity("c", region, "111122223333")
    assert {one["Principal"]["AWS"].split(":")[1] for one in _statements(cluster=there).values()} == {partition}
    logs = _statements(cluster=there, log_groups=["g"])["Logs"]
    assert logs["Principal"]["Service"].endswith(".amazonaws.com.cn") is (partition == "aws-cn")
    (arn,) = logs["Condition"]["ArnEquals"]["kms:EncryptionContext:aws:logs:arn"]
    assert arn.startswith(f"arn:{partition}:logs:")


def test_roles_of_others_make_volumes_through_ec2_and_nothing_else() -> None:
    more = [one for sid, one in _statements(volume_role_arns=ROLES).items() if sid not in _statements()]
    assert granted({"Statement": more}) == {
        "kms:Decrypt": ["*"],
        "kms:DescribeKey": ["*"],
        "kms:GenerateDataKeyWithoutPlaintext": ["*"],
        "kms:ReEncryptFrom": ["*"],
        "kms:ReEncryptTo": ["*"],
        "kms:CreateGrant": ["*"],
    }
    for statement in more:
        assert statement["Principal"] == {"AWS": sorted(ROLES)}
        assert statement["Condition"]["StringEquals"] == {"kms:ViaService": "ec2.eu-central-1.amazonaws.com"}
    (grant,) = [one for one in more if "kms:CreateGrant" in one["Action"]]
    assert grant["Condition"]["Bool"] == {"kms:GrantIsForAWSResource": "true"}


def test_cloudwatch_encrypts_these_log_groups_and_no_others() -> None:
    assert "Logs" not in _statements(cluster_admin_role_arns=ADMINS)
    statement = _statements(log_groups=["/b", "/a"])["Logs"]
    assert statement["Principal"] == {"Service": "logs.eu-central-1.amazonaws.com"}
    assert set(statement["Action"]) == USE | {"kms:DescribeKey", "kms:ReEncryptFrom", "kms:ReEncryptTo"}
    arns = [f"arn:aws:logs:eu-central-1:111122223333:log-group:{name}" for name in ("/a", "/b")]
    assert statement["Condition"] == {"ArnEquals": {"kms:EncryptionContext:aws:logs:arn": arns}}


def test_who_makes_the_cluster_may_grant_without_saying_that_it_is_for_a_service() -> None:
    """EKS' own grant does not say so: with the usual condition no cluster could be made with the key."""
    more = {sid: one for sid, one in _statements(cluster_admin_role_arns=ADMINS).items() if sid not in _statements()}
    assert set(more) == {"GrantToCluster"}
    grant = more["GrantToCluster"]
    assert grant["Principal"] == {"AWS": "arn:aws:iam::111122223333:root"}
    assert grant["Action"] == ["kms:CreateGrant"]
    assert grant["Condition"] == {"ArnEquals": {"aws:PrincipalArn": sorted(ADMINS)}}
