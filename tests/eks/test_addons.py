"""Add-ons: who brings which, bad input, and what the managed ones get."""

import json
import re
from collections.abc import Callable

import pulumi
import pulumi_aws as aws
import pytest

from components.eks import policies
from components.eks.addons import Addons
from settings import versions
from settings.eks.addons import modes, problems, version
from tests.eks.names import CLUSTER, KEY
from tests.mock_engine import Recorded

KNOWN = {
    "aws-ebs-csi-driver",
    "eks-pod-identity-agent",
    "metrics-server",
    "kube-state-metrics",
    "prometheus-node-exporter",
    "cert-manager",
}


ALL = ("aws-ebs-csi-driver", "eks-pod-identity-agent", "metrics-server")


def _addons(engine: Callable[..., Recorded], *managed: str, preview: bool = False) -> Recorded:
    def program() -> None:
        versions = {name: version(name, {}) for name in managed}
        Addons(
            "addons",
            {"cluster": CLUSTER, "cluster_name": CLUSTER.name, "managed": versions, "volume_key_arn": KEY},
            pulumi.ResourceOptions(provider=aws.Provider("aws", region=CLUSTER.region)),
        )

    return engine(program, preview=preview)


def test_an_existing_cluster_s_add_ons_are_used_and_not_owned() -> None:
    assert modes({}, auto_mode=False, create=False) == {
        "aws-ebs-csi-driver": "existing",
        "eks-pod-identity-agent": "existing",
        "metrics-server": "existing",
        "kube-state-metrics": "off",
        "prometheus-node-exporter": "off",
        "cert-manager": "off",
    }


def test_auto_mode_has_storage_and_identities_built_in() -> None:
    for create in (False, True):
        chosen = modes({}, auto_mode=True, create=create)
        assert chosen["aws-ebs-csi-driver"] == chosen["eks-pod-identity-agent"] == "off"
        assert chosen["metrics-server"] == ("managed" if create else "existing")


def test_a_stack_changes_single_ones() -> None:
    usual = modes({}, auto_mode=False, create=False)
    chosen = modes({"cert-manager": "managed", "metrics-server": "off"}, auto_mode=False, create=False)
    assert chosen == usual | {"cert-manager": "managed", "metrics-server": "off"}


def test_a_version_is_managed_at_this_version() -> None:
    changes = {"metrics-server": "v0.9.0-eksbuild.2"}
    assert problems(changes, auto_mode=False) == []
    assert modes(changes, auto_mode=False, create=False)["metrics-server"] == "managed"
    assert version("metrics-server", changes) == "v0.9.0-eksbuild.2"
    assert version("metrics-server", {"metrics-server": "managed"}) == versions.EKS_ADDONS["metrics-server"]


def test_every_add_on_has_a_pinned_version() -> None:
    assert set(versions.EKS_ADDONS) == set(modes({}, auto_mode=False, create=False)) == KNOWN
    for pinned in versions.EKS_ADDONS.values():
        assert re.fullmatch(r"v\d+\.\d+\.\d+-eksbuild\.\d+", pinned)


def test_bad_input_is_reported_all_at_once() -> None:
    changes = {"metric-server": "managed", "cert-manager": "on", "kube-state-metrics": True, "vpc": "off"}
    assert problems(changes, auto_mode=False) == [
        "metric-server: no such add-on; did you mean metrics-server?",
        "cert-manager: 'on' is not allowed; allowed: managed, existing, off, or a version such as "
        "v0.8.1-eksbuild.10 to manage",
        "kube-state-metrics: True is not allowed; allowed: managed, existing, off, or a version such as "
        "v0.8.1-eksbuild.10 to manage",
        "vpc: no such add-on; known: " + ", ".join(sorted(KNOWN)),
    ]


def test_what_auto_mode_has_cannot_be_installed_again() -> None:
    changes = {"aws-ebs-csi-driver": "managed", "eks-pod-identity-agent": "off", "metrics-server": "managed"}
    assert problems(changes, auto_mode=False) == []
    assert problems(changes, auto_mode=True) == [
        "aws-ebs-csi-driver: 'managed' is not allowed; allowed: off, because it is part of Auto Mode"
    ]


def test_managed_ones_are_installed(engine: Callable[..., Recorded], preview: bool) -> None:
    recorded = _addons(engine, "aws-ebs-csi-driver", "kube-state-metrics", preview=preview)
    found = {addon.inputs["addonName"]: addon.inputs for addon in recorded.of("Addon")}
    assert set(found) == {"aws-ebs-csi-driver", "kube-state-metrics"}
    for name, inputs in found.items():
        assert inputs["addonVersion"] == versions.EKS_ADDONS[name]
        assert inputs["clusterName"] == "eks-test"
        # What someone installed by hand is never overwritten.
        assert inputs["resolveConflictsOnCreate"] == "NONE"
        assert inputs["resolveConflictsOnUpdate"] == "PRESERVE"
    assert recorded.outputs["addons"] == {"versions": {name: versions.EKS_ADDONS[name] for name in found}}


@pytest.mark.parametrize("addon", sorted(KNOWN))
def test_what_others_use_stays_with_its_identity_when_the_program_gives_it_up(
    engine: Callable[..., Recorded], addon: str
) -> None:
    recorded = _addons(engine, addon)
    shared = addon not in ("kube-state-metrics", "prometheus-node-exporter")
    rights = [*recorded.of("Role"), *recorded.of("RolePolicy"), *recorded.of("RolePolicyAttachment")]
    assert bool(rights) == (addon == "aws-ebs-csi-driver")
    assert {one.retain for one in (*recorded.of("Addon"), *rights)} == {shared}


def test_the_driver_has_an_identity_for_its_volumes_and_their_key(engine: Callable[..., Recorded]) -> None:
    recorded = _addons(engine, *ALL)
    (driver,) = [addon for addon in recorded.of("Addon") if addon.inputs["addonName"] == "aws-ebs-csi-driver"]
    assert driver.inputs["podIdentityAssociations"] == [
        {
            "roleArn": "arn:aws:iam::111122223333:role/eks-test-eu-central-1-observability-ebs-csi-controller-sa",
            "serviceAccount": "ebs-csi-controller-sa",
        }
    ]
    assert {
        "addons-eks-pod-identity-agent",
        "addons-aws-ebs-csi-driver-policy",
        "addons-aws-ebs-csi-driver-AmazonEBSCSIDriverPolicyV2",
    } <= driver.dependencies
    (role,) = recorded.of("Role")
    trust = json.loads(role.inputs["assumeRolePolicy"])
    assert trust == policies.pod_trust(CLUSTER, "kube-system", "ebs-csi-controller-sa")
    (policy,) = recorded.of("RolePolicy")
    assert json.loads(policy.inputs["policy"]) == policies.volumes(KEY)
    (attached,) = recorded.of("RolePolicyAttachment")
    assert attached.inputs["policyArn"] == "arn:aws:iam::aws:policy/AmazonEBSCSIDriverPolicyV2"


def test_other_add_ons_have_none(engine: Callable[..., Recorded]) -> None:
    recorded = _addons(engine, "metrics-server")
    assert [addon.inputs["addonName"] for addon in recorded.of("Addon")] == ["metrics-server"]
    assert "podIdentityAssociations" not in recorded.of("Addon")[0].inputs
    assert recorded.of("Role") == []
