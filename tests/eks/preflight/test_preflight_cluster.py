"""What is asked about the cluster, its add-ons and its logs before the first resource, against moto."""

import json

import boto3
import pytest

from settings import versions
from tests.eks.account import ACCOUNT, ARN, CLUSTER, REGION, SUBNETS, Account, check

CREATE = {
    "cluster": "create",
    "clusterApiCidrs": '["10.0.0.0/8"]',
    "clusterSubnetIds": json.dumps(SUBNETS),
    # Without it, the subnets would be looked up.
    "podCidrs": '["10.0.0.0/16"]',
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
    del installed["aws-ebs-csi-driver"]
    assert volume_roles(account, eksAddons='{"aws-ebs-csi-driver": "managed"}') == [], "the program's own has a policy"
    installed["driver"] = {"role": "by-pod-identity"}
    assert volume_roles(account) == ["by-pod-identity"]
    installed["aws-ebs-csi-driver"] = {"role": "by-add-on"}
    assert volume_roles(account) == ["by-add-on", "by-pod-identity"]


def test_a_driver_whose_role_eks_does_not_know(account: Account, installed: dict[str, dict[str, str]]) -> None:
    for without_role in ({"aws-ebs-csi-driver": {}}, {}):
        installed.pop("aws-ebs-csi-driver", None)
        installed.update(without_role)
        (line,) = check(account).problems
        assert line.startswith(
            "volumeRoleArns: [] is not allowed: EKS knows no role of the existing EBS CSI driver, so "
        )
        assert "eks.amazonaws.com/role-arn of the service account kube-system/ebs-csi-controller-sa" in line
    role = f"arn:aws:iam::{ACCOUNT}:role/nodes"
    assert check(account, volumeRoleArns=json.dumps([role])).problems == []
    assert check(account, storageClass="fast").problems == []
    key = account.kms.create_key()["KeyMetadata"]["Arn"]
    assert check(account, kmsKeyArn=key).problems == []


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


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_a_cluster_whose_pods_have_addresses_of_version_6(account: Account, family: str) -> None:
    account.eks.create_cluster(
        name="other",
        version="1.34",
        roleArn=f"arn:aws:iam::{ACCOUNT}:role/eks",
        resourcesVpcConfig={"subnetIds": SUBNETS},
        kubernetesNetworkConfig={"ipFamily": family},
    )
    refusal = (
        'clusterName: "other" has the ipFamily ipv6; allowed: a cluster with ipv4, because nobody has tried the '
        "platform's own connections, such as those between Loki's replicas, with addresses of IPv6"
    )
    assert check(account, clusterName="other").problems == ([refusal] if family == "ipv6" else [])


MANAGED = {"eksAddons": '{"metrics-server": "managed"}'}


def test_the_defaults_fit_a_cluster_with_the_usual_add_ons(
    account: Account, installed: dict[str, dict[str, str]]
) -> None:
    usual = ("coredns", "kube-proxy", "vpc-cni", "metrics-server", "snapshot-controller", "cert-manager")
    installed.update({name: {} for name in usual})
    found = check(account)
    assert found.problems == []
    assert found.facts
    assert found.facts.cluster
    assert set(usual) <= set(found.facts.cluster.addons)


def test_an_add_on_of_somebody_else_is_never_taken_over(account: Account, installed: dict[str, dict[str, str]]) -> None:
    installed["metrics-server"] = {"stack": "production"}
    (line,) = check(account, **MANAGED).problems
    assert line == (
        'eksAddons.metrics-server: "managed" is not allowed: the cluster has this add-on, and stack staging did not '
        "install it; allowed: existing, which uses it and changes nothing"
    )


def test_no_message_advises_to_delete_what_others_use(account: Account, installed: dict[str, dict[str, str]]) -> None:
    every = dict.fromkeys(("aws-ebs-csi-driver", "eks-pod-identity-agent", "metrics-server", "cert-manager"), "managed")
    installed.update({name: {} for name in every})
    lines = check(account, eksAddons=json.dumps(every)).problems
    assert len(lines) == len(every)
    assert not any("delete" in line or "remove" in line for line in lines)


def test_an_add_on_of_this_stack(account: Account, installed: dict[str, dict[str, str]]) -> None:
    installed["metrics-server"] = {"stack": "staging"}
    assert check(account, **MANAGED).problems == []


def test_a_version_that_eks_does_not_offer(account: Account, installed: dict[str, dict[str, str]]) -> None:
    offered = " ".join(f"v0.9.{number}-eksbuild.1" for number in range(8, 0, -1))
    installed["offered"] = {"metrics-server": offered}
    pinned = versions.EKS_ADDONS["metrics-server"]
    (line,) = check(account, **MANAGED).problems
    assert line == (
        f'eksAddons.metrics-server: "{pinned}" is not allowed: EKS in {REGION} does not offer it for Kubernetes 1.34; '
        f"allowed: {', '.join(offered.split()[:5])}"
    )
    assert check(account, eksAddons='{"metrics-server": "v0.9.3-eksbuild.1"}').problems == []
    (line,) = check(account, clusterName="new", **CREATE).problems
    assert "for Kubernetes 1.36" in line


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("1.33", "EKS in eu-central-1 does not have it in standard support; allowed: 1.34, 1.35, 1.36"),
        ("1.29", ""),
        ("1.37", "this program was not tried with it"),
    ],
)
def test_a_new_cluster_starts_in_standard_support(account: Account, version: str, reason: str) -> None:
    line, *_ = check(account, clusterName="new", clusterVersion=version, **CREATE).problems
    assert line.startswith(f'clusterVersion: "{version}" is not allowed: {reason}')


def test_extended_support_is_a_warning(account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    network = {"subnetIds": SUBNETS}
    account.eks.create_cluster(
        name="old", version="1.33", roleArn=f"arn:aws:iam::{ACCOUNT}:role/eks", resourcesVpcConfig=network
    )
    check(account)
    assert "extended" not in capsys.readouterr().err
    check(account, clusterName="old")
    assert 'clusterName: "old" runs Kubernetes 1.33, which is in extended support, until 2027-03-23' in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(("wanted", "fits"), [("1.34", True), ("1.35", True), ("1.36", False), ("1.33", False)])
def test_a_cluster_is_updated_by_one_version(account: Account, wanted: str, fits: bool) -> None:
    account.eks.tag_resource(resourceArn=ARN.format("eks", f"cluster/{CLUSTER}"), tags={"stack": "staging"})
    lines = [line for line in check(account, clusterVersion=wanted, **CREATE).problems if "clusterVersion" in line]
    assert lines == (
        []
        if fits
        else [
            f'clusterVersion: "{wanted}" is not allowed: the cluster runs 1.34, and EKS updates by one minor version '
            "at a time, never back; allowed: 1.34 or 1.35"
        ]
    )
