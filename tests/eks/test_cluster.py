"""The cluster that the program makes: private, encrypted, in Auto Mode, with named administrators only."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s
import pytest

from components.eks import policies
from components.eks.cluster import Cluster
from tests.eks.iam_lint import findings
from tests.eks.names import CLUSTER, KEY
from tests.mock_engine import Recorded, Registration

ADMINS = [
    "arn:aws:iam::111122223333:role/deploy",
    "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_0123",
]


def _cluster(engine: Callable[..., Recorded], *, preview: bool = False, **more: Any) -> Recorded:
    def program() -> None:
        cluster = Cluster(
            "cluster",
            {
                "identity": CLUSTER,
                "version": "1.34",
                "subnet_ids": ["subnet-0aaaaaaa", "subnet-0bbbbbbb"],
                "admin_role_arns": ADMINS,
                "key_arn": KEY,
                "api_cidrs": ["10.9.0.0/16"],
                "api_security_group_ids": [],
                "public_access_cidrs": [],
                "support": "extended",
                "protect": True,
                **more,
            },
            pulumi.ResourceOptions(provider=aws.Provider("aws", region=CLUSTER.region)),
        )
        pulumi.export("certificateAuthority", cluster.certificate_authority)
        k8s.Provider("kubernetes", kubeconfig=cluster.endpoint)

    return engine(program, preview=preview)


def _made(recorded: Recorded) -> Registration:
    (found,) = [resource for resource in recorded.of("Cluster") if resource.custom]
    return found


def test_the_cluster_is_exactly_this(engine: Callable[..., Recorded], preview: bool) -> None:
    inputs = dict(_made(_cluster(engine, preview=preview)).inputs)
    node_role = inputs["computeConfig"].pop("nodeRoleArn", None)
    control_plane_role = inputs.pop("roleArn", None)
    if not preview:
        assert node_role == "arn:aws:iam::111122223333:role/eks-test-eu-central-1-observability-node"
        assert control_plane_role == "arn:aws:iam::111122223333:role/eks-test-eu-central-1-observability-control-plane"
    assert inputs == {
        "name": "eks-test",
        "version": "1.34",
        "vpcConfig": {
            "subnetIds": ["subnet-0aaaaaaa", "subnet-0bbbbbbb"],
            "endpointPrivateAccess": True,
            "endpointPublicAccess": False,
        },
        "computeConfig": {"enabled": True, "nodePools": ["general-purpose", "system"]},
        "storageConfig": {"blockStorage": {"enabled": True}},
        "kubernetesNetworkConfig": {"elasticLoadBalancing": {"enabled": True}},
        "bootstrapSelfManagedAddons": False,
        "accessConfig": {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False},
        "encryptionConfig": {"provider": {"keyArn": KEY}, "resources": ["secrets"]},
        "enabledClusterLogTypes": ["api", "audit", "authenticator", "controllerManager", "scheduler"],
        "upgradePolicy": {"supportType": "EXTENDED"},
        "deletionProtection": True,
    }


@pytest.mark.parametrize("protect", [False, True])
def test_protection_is_the_stack_s_choice(engine: Callable[..., Recorded], protect: bool) -> None:
    made = _made(_cluster(engine, protect=protect))
    assert made.protect is protect
    assert made.inputs["deletionProtection"] is protect


def test_the_internet_reaches_it_only_from_named_networks(engine: Callable[..., Recorded]) -> None:
    network = _made(_cluster(engine, public_access_cidrs=["203.0.113.0/24"])).inputs["vpcConfig"]
    assert network["endpointPublicAccess"] is True
    assert network["publicAccessCidrs"] == ["203.0.113.0/24"]


def test_the_callers_reach_its_private_address_before_anything_uses_it(engine: Callable[..., Recorded]) -> None:
    recorded = _cluster(engine, api_cidrs=["10.9.0.0/16", "fd00::/8"], api_security_group_ids=["sg-0aaaaaaa"])
    rules = {rule.name: rule.inputs for rule in recorded.of("SecurityGroupIngressRule")}
    https = {
        "securityGroupId": "sg-of-cluster",
        "ipProtocol": "tcp",
        "fromPort": 443,
        "toPort": 443,
        "description": "Calls of the Kubernetes API",
    }
    assert rules == {
        "cluster-api-from-10-9-0-0-16": {**https, "cidrIpv4": "10.9.0.0/16"},
        "cluster-api-from-fd00-8": {**https, "cidrIpv6": "fd00::/8"},
        "cluster-api-from-sg-0aaaaaaa": {**https, "referencedSecurityGroupId": "sg-0aaaaaaa"},
    }
    (user,) = [one for one in recorded.resources if one.name == "kubernetes"]
    assert rules.keys() <= user.dependencies


@pytest.mark.parametrize("support", ["standard", "extended"])
def test_what_happens_at_the_end_of_support_is_the_stack_s_choice(
    engine: Callable[..., Recorded], support: str
) -> None:
    assert _made(_cluster(engine, support=support)).inputs["upgradePolicy"] == {"supportType": support.upper()}


def test_roles_have_the_organization_s_path_and_boundary(engine: Callable[..., Recorded]) -> None:
    boundary = "arn:aws:iam::111122223333:policy/boundary"
    identity = dataclasses.replace(CLUSTER, role_path="/platform/", boundary_arn=boundary)
    for role in _cluster(engine, identity=identity).of("Role"):
        assert (role.inputs["path"], role.inputs["permissionsBoundary"]) == ("/platform/", boundary)


def test_the_roles_have_exactly_what_auto_mode_needs(engine: Callable[..., Recorded], preview: bool) -> None:
    recorded = _cluster(engine, preview=preview)
    attached = {item.inputs["policyArn"].rsplit("/", 1)[-1]: item for item in recorded.of("RolePolicyAttachment")}
    assert set(attached) == {
        "AmazonEKSBlockStoragePolicy",
        "AmazonEKSClusterPolicy",
        "AmazonEKSComputePolicy",
        "AmazonEKSLoadBalancingPolicy",
        "AmazonEKSNetworkingPolicy",
        "AmazonEC2ContainerRegistryPullOnly",
        "AmazonEKSWorkerNodeMinimalPolicy",
    }
    node = "eks-test-eu-central-1-observability-node"
    nodes = {name for name, item in attached.items() if item.inputs["role"] == node}
    assert nodes == {"AmazonEC2ContainerRegistryPullOnly", "AmazonEKSWorkerNodeMinimalPolicy"}
    trusts = {role.inputs["name"]: json.loads(role.inputs["assumeRolePolicy"]) for role in recorded.of("Role")}
    assert trusts == {
        "eks-test-eu-central-1-observability-control-plane": policies.control_plane_trust(CLUSTER),
        "eks-test-eu-central-1-observability-node": policies.node_trust(),
    }
    (own,) = recorded.of("RolePolicy")
    assert own.inputs["role"] == "eks-test-eu-central-1-observability-control-plane"
    assert json.loads(own.inputs["policy"]) == policies.volumes(KEY)
    assert findings(json.loads(own.inputs["policy"])) == []


def test_the_cluster_comes_after_all_rights_and_goes_before_them(engine: Callable[..., Recorded]) -> None:
    recorded = _cluster(engine)
    rights = {item.name for item in recorded.of("RolePolicyAttachment") + recorded.of("RolePolicy")}
    assert len(rights) == 8
    assert rights <= _made(recorded).dependencies


@pytest.mark.parametrize("protect", [False, True])
def test_its_logs_end_are_encrypted_and_have_a_place_before_it_writes(
    engine: Callable[..., Recorded], protect: bool, preview: bool
) -> None:
    recorded = _cluster(engine, preview=preview, protect=protect)
    (logs,) = recorded.of("LogGroup")
    assert logs.inputs == {"name": "/aws/eks/eks-test/cluster", "retentionInDays": 90, "kmsKeyId": KEY}
    assert (logs.protect, logs.retain) == (protect, protect)
    assert logs.name in _made(recorded).dependencies


def test_only_the_named_roles_administer_it(engine: Callable[..., Recorded]) -> None:
    recorded = _cluster(engine)
    assert {entry.inputs["principalArn"] for entry in recorded.of("AccessEntry")} == set(ADMINS)
    grants = {grant.inputs["principalArn"]: grant.inputs for grant in recorded.of("AccessPolicyAssociation")}
    assert set(grants) == set(ADMINS)
    for role, inputs in grants.items():
        assert inputs == {
            "clusterName": "eks-test",
            "principalArn": role,
            "policyArn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
            "accessScope": {"type": "cluster"},
        }


def test_outputs(engine: Callable[..., Recorded]) -> None:
    recorded = _cluster(engine)
    assert recorded.outputs["cluster"] == {
        "name": "eks-test",
        "arn": CLUSTER.arn,
        "endpoint": "https://0123456789ABCDEF.gr7.eu-central-1.eks.amazonaws.com",
    }
    assert recorded.exports["certificateAuthority"] == "Y2VydGlmaWNhdGU="
