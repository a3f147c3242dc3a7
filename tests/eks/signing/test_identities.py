"""Identities: role, association, and the Job that proves them before workloads start."""

import json
from collections.abc import Callable
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as k8s
import pytest

from components.eks import policies
from components.eks.identities import ANNOTATION, Identity
from components.eks.signing import calls
from settings import versions
from tests.eks.iam_lint import findings
from tests.eks.names import CLUSTER, KEY
from tests.mock_engine import Recorded, Registration

BUCKET = "arn:aws:s3:::chunks"
CALLS = calls.buckets(["chunks"], CLUSTER.region, "amazonaws.com")
MANAGED = CLUSTER.managed_policy("AmazonEBSCSIDriverPolicyV2")


def _program(**more: Any) -> None:
    providers = [aws.Provider("aws", region=CLUSTER.region), k8s.Provider("cluster", kubeconfig="{}")]
    identity = Identity(
        "loki-identity",
        {
            "cluster": CLUSTER,
            "cluster_name": CLUSTER.name,
            "namespace": "observability",
            "check_namespace": pulumi.Output.from_input("observability"),
            "service_account": "loki",
            "calls": CALLS,
            **more,
        },
        pulumi.ResourceOptions(providers=providers),
    )
    k8s.core.v1.ConfigMap("workload", opts=pulumi.ResourceOptions(provider=providers[1], depends_on=[identity.ready]))


def _program_with_rights() -> None:
    policy = pulumi.Output.from_input(BUCKET).apply(lambda arn: policies.loki([arn], KEY))
    _program(policy=policy, managed_policy_arns=[MANAGED])


@pytest.fixture
def identity(engine: Callable[..., Recorded], preview: bool) -> Recorded:
    return engine(_program_with_rights, preview=preview)


def _named(recorded: Recorded, name: str) -> Registration:
    (found,) = [resource for resource in recorded.resources if resource.name == name]
    return found


def test_the_role_has_its_rights_and_trusts_its_service_account(identity: Recorded) -> None:
    role = _named(identity, "loki-identity-role")
    assert role.type == "aws:iam/role:Role"
    assert role.inputs["name"] == "eks-test-eu-central-1-observability-loki"
    trust = json.loads(role.inputs["assumeRolePolicy"])
    assert trust == policies.pod_trust(CLUSTER, "observability", "loki", "loki-identity")
    policy = _named(identity, "loki-identity-policy")
    assert json.loads(policy.inputs["policy"]) == policies.loki([BUCKET], KEY)
    assert findings(json.loads(policy.inputs["policy"])) == []
    assert _named(identity, "loki-identity-AmazonEBSCSIDriverPolicyV2").inputs["policyArn"] == MANAGED


def test_the_association_follows_the_rights(identity: Recorded) -> None:
    association = _named(identity, "loki-identity-association")
    assert {key: association.inputs[key] for key in ("clusterName", "namespace", "serviceAccount")} == {
        "clusterName": "eks-test",
        "namespace": "observability",
        "serviceAccount": "loki",
    }
    assert "targetRoleArn" not in association.inputs
    assert {"loki-identity-policy", "loki-identity-AmazonEBSCSIDriverPolicyV2"} <= association.dependencies


def test_the_check_knows_no_association_before_the_workload_s(identity: Recorded) -> None:
    checked = _named(identity, "loki-identity-check-association")
    assert checked.inputs["serviceAccount"] == "loki-identity"
    assert "loki-identity-association" in checked.dependencies
    job = _named(identity, "loki-identity-check")
    needed = ("association", "account", "program", "network")
    assert {f"loki-identity-check-{one}" for one in needed} <= job.dependencies


def test_workloads_wait_for_the_check(identity: Recorded) -> None:
    assert "loki-identity-check" in _named(identity, "workload").dependencies


def test_the_check_starts_new_pods_until_several_have_an_identity(identity: Recorded) -> None:
    job = _named(identity, "loki-identity-check")
    assert job.type == "kubernetes:batch/v1:Job"
    assert job.inputs["metadata"]["name"] == "loki-identity"
    spec = job.inputs["spec"]
    assert {key: spec[key] for key in ("completions", "parallelism", "backoffLimit", "activeDeadlineSeconds")} == {
        "completions": 3,
        "parallelism": 1,
        "backoffLimit": 12,
        "activeDeadlineSeconds": 540,
    }
    assert "ttlSecondsAfterFinished" not in spec
    pod = spec["template"]["spec"]
    assert pod["restartPolicy"] == "Never"
    assert pod["serviceAccountName"] == "loki-identity"
    assert pod["containers"][0]["image"] == versions.PYTHON_IMAGE


def test_the_check_is_no_pod_of_the_workload(identity: Recorded) -> None:
    """Otherwise Services, budgets and policies of the workload would select it."""
    labels = _named(identity, "loki-identity-check").inputs["spec"]["template"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/name"] == "loki-identity"


def test_the_check_is_restricted(identity: Recorded) -> None:
    pod = _named(identity, "loki-identity-check").inputs["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"] == {"memory": "64Mi", "ephemeral-storage": "256Mi"}


def test_a_new_association_makes_a_new_check(engine: Callable[..., Recorded]) -> None:
    recorded = engine(_program)
    annotations = _named(recorded, "loki-identity-check").inputs["spec"]["template"]["metadata"]["annotations"]
    assert annotations[ANNOTATION] == "a-loki a-loki-identity"
    assert recorded.outputs["loki-identity"] == {
        "role_arn": "arn:aws:iam::111122223333:role/eks-test-eu-central-1-observability-loki",
        "association_id": "a-loki",
    }


def test_a_role_of_another_account_is_assumed_by_eks(engine: Callable[..., Recorded]) -> None:
    """For the workload, and for the Job that proves what the role may do."""
    target = "arn:aws:iam::999999999999:role/metrics"

    def program() -> None:
        _program(policy=policies.assume(target), target_role_arn=target)

    associations = engine(program).of("PodIdentityAssociation")
    assert [one.inputs.get("targetRoleArn") for one in associations] == [target, target]


PROVIDER = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/AB12"


def test_with_an_oidc_provider_the_tokens_of_the_accounts_are_trusted(engine: Callable[..., Recorded]) -> None:
    """IRSA: no association and no agent, but the role's name in the service account of the Job."""

    def program() -> None:
        _program(policy=policies.xray(), oidc_provider_arn=PROVIDER)

    recorded = engine(program)
    assert recorded.of("PodIdentityAssociation") == []
    role = _named(recorded, "loki-identity-role")
    (statement,) = json.loads(role.inputs["assumeRolePolicy"])["Statement"]
    assert (statement["Action"], statement["Principal"]) == (["sts:AssumeRoleWithWebIdentity"], {"Federated": PROVIDER})
    issuer = "oidc.eks.eu-central-1.amazonaws.com/id/AB12"
    assert statement["Condition"]["StringEquals"] == {
        f"{issuer}:aud": "sts.amazonaws.com",
        f"{issuer}:sub": [f"system:serviceaccount:observability:{one}" for one in ("loki", "loki-identity")],
    }
    account = _named(recorded, "loki-identity-check-account").inputs["metadata"]["annotations"]
    assert account == {"eks.amazonaws.com/role-arn": recorded.outputs["loki-identity"]["role_arn"]}
    assert "loki-identity-policy" in _named(recorded, "loki-identity-check").dependencies


def test_a_role_without_rights_has_no_policy(engine: Callable[..., Recorded]) -> None:
    recorded = engine(_program)
    assert recorded.of("RolePolicy") + recorded.of("RolePolicyAttachment") == []


def test_everything_has_an_explicit_provider(identity: Recorded) -> None:
    for resource in identity.resources:
        if resource.custom and not resource.type.startswith("pulumi:"):
            provider = "aws" if resource.type.startswith("aws:") else "cluster"
            assert resource.provider.split("::")[-2] == provider, resource.name


def test_the_check_makes_the_calls_and_reaches_what_it_needs(identity: Recorded) -> None:
    """The agent of the node, and AWS; and nobody reaches the check."""
    pod = _named(identity, "loki-identity-check").inputs["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert json.loads(container["env"][0]["value"]) == CALLS
    program = _named(identity, "loki-identity-check-program").inputs["data"]
    assert (container["workingDir"], container["command"]) == ("/", ["python3", "-m", "signing.prove"])
    assert container["volumeMounts"][0]["mountPath"] == "/signing"
    assert program.keys() == {"prove.py", "aws_request.py"}
    network = _named(identity, "loki-identity-check-network").inputs["spec"]
    assert network["ingress"] == []
    assert [port["port"] for rule in network["egress"] for port in rule["ports"]] == [80, 443]


def test_with_an_oidc_provider_the_workloads_accounts_name_their_roles(program: Callable[..., Recorded]) -> None:
    provider = "arn:aws:iam::444455556666:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/AB12"
    recorded = program("production", oidcProviderArn=provider)
    assert recorded.of("PodIdentityAssociation") == []
    for app in ("loki", "otel-gateway", "workspace-proxy"):
        role = recorded.one("ServiceAccount", app).inputs["metadata"]["annotations"]["eks.amazonaws.com/role-arn"]
        assert role == recorded.exports["aws"]["roles"][app]["arn"]
        pod = (recorded.one("Deployment" if app == "workspace-proxy" else "StatefulSet", app)).inputs["spec"][
            "template"
        ]
        assert pod["metadata"]["annotations"]["observability/pod-identity"] == role
