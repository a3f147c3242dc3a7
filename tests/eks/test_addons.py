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
from settings.eks.addons import Mode, modes, problems
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


def _addons(engine: Callable[..., Recorded], chosen: dict[str, Mode], *, preview: bool = False) -> Recorded:
    def program() -> None:
        Addons(
            "addons",
            {"cluster": CLUSTER, "cluster_name": CLUSTER.name, "modes": chosen, "volume_key_arn": KEY},
            pulumi.ResourceOptions(provider=aws.Provider("aws", region=CLUSTER.region)),
        )

    return engine(program, preview=preview)


def test_defaults() -> None:
    assert modes({}, auto_mode=False) == {
        "aws-ebs-csi-driver": "managed",
        "eks-pod-identity-agent": "managed",
        "metrics-server": "managed",
        "kube-state-metrics": "off",
        "prometheus-node-exporter": "off",
        "cert-manager": "off",
    }


def test_auto_mode_has_storage_and_identities_built_in() -> None:
    chosen = modes({}, auto_mode=True)
    assert chosen["aws-ebs-csi-driver"] == chosen["eks-pod-identity-agent"] == "off"
    assert chosen["metrics-server"] == "managed"


def test_a_stack_changes_single_ones() -> None:
    chosen = modes({"cert-manager": "managed", "metrics-server": "existing"}, auto_mode=False)
    assert chosen == modes({}, auto_mode=False) | {"cert-manager": "managed", "metrics-server": "existing"}


def test_every_add_on_has_a_pinned_version() -> None:
    assert set(versions.EKS_ADDONS) == set(modes({}, auto_mode=False)) == KNOWN
    for version in versions.EKS_ADDONS.values():
        assert re.fullmatch(r"v\d+\.\d+\.\d+-eksbuild\.\d+", version)


def test_bad_input_is_reported_all_at_once() -> None:
    changes = {"metric-server": "managed", "cert-manager": "on", "kube-state-metrics": True, "vpc": "off"}
    assert problems(changes, auto_mode=False) == [
        "metric-server: no such add-on; did you mean metrics-server?",
        "cert-manager: 'on' is not allowed; allowed: managed, existing, off",
        "kube-state-metrics: True is not allowed; allowed: managed, existing, off",
        "vpc: no such add-on; known: " + ", ".join(sorted(KNOWN)),
    ]


def test_what_auto_mode_has_cannot_be_installed_again() -> None:
    changes = {"aws-ebs-csi-driver": "managed", "eks-pod-identity-agent": "off", "metrics-server": "managed"}
    assert problems(changes, auto_mode=False) == []
    assert problems(changes, auto_mode=True) == [
        "aws-ebs-csi-driver: 'managed' is not allowed; allowed: off, because it is part of Auto Mode"
    ]


def test_only_managed_ones_are_installed(engine: Callable[..., Recorded], preview: bool) -> None:
    chosen = modes({"metrics-server": "existing", "kube-state-metrics": "managed"}, auto_mode=False)
    recorded = _addons(engine, chosen, preview=preview)
    found = {addon.inputs["addonName"]: addon.inputs for addon in recorded.of("Addon")}
    assert set(found) == {"aws-ebs-csi-driver", "eks-pod-identity-agent", "kube-state-metrics"}
    for name, inputs in found.items():
        assert inputs["addonVersion"] == versions.EKS_ADDONS[name]
        assert inputs["clusterName"] == "eks-test"
        # What someone installed by hand is never overwritten.
        assert inputs["resolveConflictsOnCreate"] == "NONE"
        assert inputs["resolveConflictsOnUpdate"] == "PRESERVE"
    assert recorded.outputs["addons"] == {"versions": {name: versions.EKS_ADDONS[name] for name in found}}


@pytest.mark.parametrize(
    ("addon", "stays"),
    [
        ("aws-ebs-csi-driver", True),
        ("eks-pod-identity-agent", True),
        ("cert-manager", True),
        ("metrics-server", False),
        ("prometheus-node-exporter", False),
    ],
)
def test_what_others_stand_on_stays_when_the_program_gives_it_up(
    engine: Callable[..., Recorded], addon: str, stays: bool
) -> None:
    (found,) = _addons(engine, {addon: "managed"}).of("Addon")
    assert found.inputs["preserve"] is stays


def test_the_driver_has_an_identity_for_its_volumes_and_their_key(engine: Callable[..., Recorded]) -> None:
    recorded = _addons(engine, modes({}, auto_mode=False))
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
    recorded = _addons(engine, modes({}, auto_mode=True))
    assert [addon.inputs["addonName"] for addon in recorded.of("Addon")] == ["metrics-server"]
    assert "podIdentityAssociations" not in recorded.of("Addon")[0].inputs
    assert recorded.of("Role") == []
