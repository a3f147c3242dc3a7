"""The parts in AWS, made by the real engine through the stand-in provider at moto: what is there, and that all goes.

moto has of EKS only clusters: add-ons, access entries and Pod Identity associations are previewed here, and checked
against the service's model in tests/local/test_aws_provider.py. It takes a cluster's arguments and forgets most.
"""

import json
from urllib.parse import unquote

import pytest

from local import engine
from tests.local.aws_emulator import ACCOUNT, REGION, client, emulated_aws, environment

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

PROGRAM = f"""
import pulumi, pulumi_aws as aws
from components.eks import policies
from components.eks.identities import pod_role
from components.eks.policies import ClusterIdentity
offline = {{"access_key": "k", "secret_key": "s", "skip_credentials_validation": True,
    "skip_requesting_account_id": True}}
login = offline if pulumi.Config().get_bool("offline") else {{"allowed_account_ids": ["{ACCOUNT}"]}}
provider = aws.Provider("aws", region="{REGION}", **login,
    default_tags={{"tags": {{"owner": "team", "stack": "dev", "managed-by": "pulumi"}}}})
opts = pulumi.ResourceOptions(provider=provider)
identity = ClusterIdentity("platform", "{REGION}", "{ACCOUNT}")
"""
ROLE = """
pod_role("loki", {"cluster": identity, "namespace": "observability", "service_account": "loki",
    "policy": policies.loki(["arn:aws:s3:::logs"], None)}, opts)
"""
EKS = """
from components.eks import addons
from components.eks.addons import Addons
from components.eks.cluster import Cluster
made = Cluster("eks", {"identity": identity, "version": "1.34", "subnet_ids": ["subnet-0aaaaaaa", "subnet-0bbbbbbb"],
    "admin_role_arns": ["arn:aws:iam::123456789012:role/admin"], "protect": False,
    "key_arn": "arn:aws:kms:eu-central-1:123456789012:key/k"}, opts)
modes = addons.modes({"metrics-server": "managed"}, auto_mode=False)
Addons("addons", {"cluster": identity, "cluster_name": made.name, "modes": modes,
    "volume_key_arn": "arn:aws:kms:eu-central-1:123456789012:key/k"}, opts)
"""


def test_role_of_pods_is_there_once_and_goes(small_stack):
    with emulated_aws():
        small = small_stack(PROGRAM + ROLE)
        engine.up(small)
        engine.up(small, expect_no_changes=True)
        (role,) = client("iam").list_roles()["Roles"]
        assert role["RoleName"] == "platform-observability-loki"
        (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Principal"] == {"Service": "pods.eks.amazonaws.com"}
        tags = client("iam").list_role_tags(RoleName=role["RoleName"])["Tags"]
        assert {tag["Key"]: tag["Value"] for tag in tags} == {"owner": "team", "stack": "dev", "managed-by": "pulumi"}
        policy = client("iam").get_role_policy(RoleName=role["RoleName"], PolicyName="access")["PolicyDocument"]
        document = policy if isinstance(policy, dict) else json.loads(unquote(policy))
        assert {action for one in document["Statement"] for action in one["Action"]} == {
            "s3:ListBucket",
            "s3:DeleteObject",
            "s3:GetObject",
            "s3:PutObject",
        }
        engine.destroy(small)
        assert client("iam").list_roles()["Roles"] == []


def test_cluster_and_add_ons_are_previewed_with_calls_that_eks_would_take(small_stack):
    with environment(AWS_ENDPOINT_URL="http://127.0.0.1:1"):
        found = engine.preview(small_stack(PROGRAM + EKS, offline="true"))
    kinds = {change.split("::")[2].rpartition("$")[2] for change in found.changed}
    assert kinds >= {
        "aws:cloudwatch/logGroup:LogGroup",
        "aws:eks/accessEntry:AccessEntry",
        "aws:eks/accessPolicyAssociation:AccessPolicyAssociation",
        "aws:eks/addon:Addon",
        "aws:eks/cluster:Cluster",
    }
