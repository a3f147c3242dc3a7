"""What is asked about the cluster, its add-ons and its logs before the first resource, against moto."""

import json

import boto3
import pytest

from tests.eks.account import ACCOUNT, CLUSTER, REGION, SUBNETS, Account, check

CREATE = {
    "cluster": "create",
    "clusterSubnetIds": json.dumps(SUBNETS),
    "clusterAdminRoleArns": f'["arn:aws:iam::{ACCOUNT}:role/deploy"]',
    "eksAutoMode": "true",
}


def test_a_cluster_that_does_not_exist(account: Account) -> None:
    (line,) = check(account, clusterName="stagng").problems
    assert line == (
        f'clusterName: "stagng" is not an EKS cluster in {REGION} of account {ACCOUNT}; there are: {CLUSTER}; '
        "`cluster: create` creates it"
    )


def test_a_cluster_to_create(account: Account) -> None:
    found = check(account, clusterName="new", **CREATE)
    assert found.problems == []
    assert found.facts
    assert found.facts.cluster is None
    first, *_ = check(account, **CREATE).problems
    assert first == f'cluster: "create" is not allowed: {CLUSTER} exists and does not belong to stack staging'


def test_a_cluster_to_create_whose_logs_are_an_earlier_one_s(account: Account) -> None:
    logs = boto3.client("logs", region_name=REGION)
    logs.create_log_group(logGroupName="/aws/eks/new/cluster-2")
    logs.create_log_group(logGroupName="/aws/eks/new/cluster")
    assert check(account, clusterName="new", **CREATE).problems == [
        'clusterName: "new" is not allowed: /aws/eks/new/cluster contains the logs of an earlier cluster; allowed: '
        "another name, or this one once those logs are deleted: aws logs delete-log-group --log-group-name "
        "/aws/eks/new/cluster"
    ]
    logs.tag_log_group(logGroupName="/aws/eks/new/cluster", tags={"stack": "staging"})
    assert check(account, clusterName="new", **CREATE).problems == []


def volume_roles(account: Account, **changes: str) -> list[str]:
    found = check(account, **changes)
    assert found.problems == []
    assert found.facts
    assert found.facts.cluster
    return list(found.facts.cluster.volume_role_arns)


def test_the_driver_that_makes_the_volumes(account: Account, installed: dict[str, dict[str, str]]) -> None:
    existing = {"eksAddons": '{"aws-ebs-csi-driver": "existing"}'}
    assert volume_roles(account) == [], "the program's own has a policy"
    assert volume_roles(account, **existing) == []
    installed["driver"] = {"role": "by-pod-identity"}
    assert volume_roles(account, **existing) == ["by-pod-identity"]
    installed["aws-ebs-csi-driver"] = {"role": "by-add-on"}
    assert volume_roles(account, **existing) == ["by-add-on", "by-pod-identity"]


def test_a_cluster_in_auto_mode_makes_the_volumes_itself(monkeypatch: pytest.MonkeyPatch, account: Account) -> None:
    monkeypatch.setattr("components.eks.preflight.cluster._auto_mode", lambda _found: True)
    assert volume_roles(account, eksAutoMode="true") == [f"arn:aws:iam::{ACCOUNT}:role/eks"]


def test_a_cluster_that_is_old_or_not_in_auto_mode(account: Account) -> None:
    network = {"subnetIds": SUBNETS}
    account.eks.create_cluster(
        name="old", version="1.29", roleArn=f"arn:aws:iam::{ACCOUNT}:role/eks", resourcesVpcConfig=network
    )
    version, mode = check(account, clusterName="old", eksAutoMode="true").problems
    assert version == 'clusterName: "old" runs Kubernetes 1.29; allowed: 1.32 <= version < 1.37'
    assert mode == "eksAutoMode: true is not allowed: old is not in Auto Mode"


def test_an_add_on_that_was_installed_by_hand(account: Account, installed: dict[str, dict[str, str]]) -> None:
    installed["metrics-server"] = {}
    assert check(account).problems == [
        'eksAddons.metrics-server: "managed" is not allowed: it is already installed, but not by stack staging; '
        f"allowed: existing, or managed after: aws eks delete-addon --cluster-name {CLUSTER} --addon-name "
        "metrics-server"
    ]
    assert check(account, eksAddons='{"metrics-server": "existing"}').problems == []


def test_an_add_on_of_this_stack(account: Account, installed: dict[str, dict[str, str]]) -> None:
    installed["metrics-server"] = {"stack": "staging"}
    assert check(account).problems == []
