"""Where Amazon's plugin enforces network policies, pods are admitted by the ranges of the VPC, all of them."""

import json
from collections.abc import Callable
from dataclasses import replace

import boto3
import pytest

from settings.eks import facts
from settings.eks.facts import Findings
from tests.eks.account import ACCOUNT, REGION, SUBNETS, Account, check
from tests.mock_engine import Recorded

Installed = dict[str, dict[str, str]]
CREATE = {
    "cluster": "create",
    "clusterName": "new",
    "clusterApiCidrs": '["10.0.0.0/8"]',
    "clusterAdminRoleArns": f'["arn:aws:iam::{ACCOUNT}:role/deploy"]',
    "eksAutoMode": "true",
}


def ranges(found: Findings) -> list[str]:
    assert found.problems == []
    assert found.facts
    return list(found.facts.pod_cidrs)


@pytest.fixture
def wide(account: Account) -> Account:
    """An account whose VPC has a secondary range, and one that it has given up."""
    ec2 = boto3.client("ec2", region_name=REGION)
    ec2.associate_vpc_cidr_block(VpcId=account.vpc_id, CidrBlock="100.64.0.0/16")
    gone = ec2.associate_vpc_cidr_block(VpcId=account.vpc_id, CidrBlock="10.2.0.0/16")
    ec2.disassociate_vpc_cidr_block(AssociationId=gone["CidrBlockAssociation"]["AssociationId"])
    return account


@pytest.mark.parametrize(
    "values", ['{"enableNetworkPolicy": "true"}', '{"enableNetworkPolicy": true}', "enableNetworkPolicy: 'true'"]
)
def test_they_are_those_of_the_vpc_where_the_add_on_enforces(wide: Account, installed: Installed, values: str) -> None:
    installed["vpc-cni"] = {"configuration": values}
    assert ranges(check(wide)) == ["10.1.0.0/16", "100.64.0.0/16"]
    assert ranges(check(wide, podCidrs='["100.64.0.0/16"]')) == [], "the setting counts"


@pytest.mark.parametrize("addon", [None, {}, {"configuration": '{"enableNetworkPolicy": "false"}'}])
def test_they_are_unknown_where_another_plugin_may_enforce(
    wide: Account, installed: Installed, addon: dict[str, str] | None
) -> None:
    """Cilium admits no pod by a range, and an overlay has ranges of its own."""
    if addon is not None:
        installed["vpc-cni"] = addon
    assert ranges(check(wide)) == []


def test_they_are_those_of_the_subnets_of_a_cluster_to_create(wide: Account) -> None:
    subnets = json.dumps(wide.load_balancer_subnets)
    assert ranges(check(wide, None, clusterSubnetIds=subnets, **CREATE)) == ["10.1.0.0/16", "100.64.0.0/16"]


def test_subnets_that_do_not_exist_are_a_problem(wide: Account) -> None:
    (line,) = check(wide, None, clusterSubnetIds=json.dumps(SUBNETS), **CREATE).problems
    assert line.startswith(f'clusterSubnetIds: "{", ".join(SUBNETS)}" cannot be found: InvalidSubnetID.NotFound')


def test_policies_name_them(program: Callable[..., Recorded], monkeypatch: pytest.MonkeyPatch) -> None:
    offline = facts.offline

    def known(*args: object, **more: object) -> Findings:
        found = offline(*args, **more)  # pyright: ignore[reportArgumentType]
        assert found.facts
        return replace(found, facts=replace(found.facts, pod_cidrs=("10.1.0.0/16",)))

    monkeypatch.setattr(facts, "offline", known)
    spec = program("production", preview=True, offlinePreview="true").one("NetworkPolicy", "otel-agent").inputs["spec"]
    peers = [peer for rule in spec["ingress"] for peer in rule.get("from", [])]
    assert {"ipBlock": {"cidr": "10.1.0.0/16"}} in peers
    assert {"namespaceSelector": {}} not in peers
