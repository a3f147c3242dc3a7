"""The stores, made by the real engine through the stand-in provider at moto: what AWS is told, that it is told once,
and that all goes. moto keeps what it is told; that IAM and S3 act on it is not proved here.
"""

import json
from collections.abc import Callable

import pytest

from components.eks.encryption import key_policy
from components.eks.log_buckets import policy_of
from components.eks.policies import ClusterIdentity
from local import engine
from local.workspace import Workspace
from tests.local.aws_emulator import ACCOUNT, REGION, client, emulated_aws

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

PROGRAM = f"""
import pulumi, pulumi_aws as aws
from components.eks.encryption import EncryptionKey
from components.eks.log_buckets import LogBuckets
from components.eks.metrics_workspace import MetricsWorkspace
from components.eks.search_domain import SearchDomain
from components.eks.policies import ClusterIdentity
provider = aws.Provider("aws", region="{REGION}", allowed_account_ids=["{ACCOUNT}"],
    default_tags={{"tags": {{"owner": "team"}}}})
opts = pulumi.ResourceOptions(provider=provider)
identity = ClusterIdentity("platform", "{REGION}", "{ACCOUNT}")
key = EncryptionKey("key", {{"identity": identity, "volume_role_arns": [], "cluster_admin_role_arns": [],
    "protect": False}}, opts)
pulumi.export("key", key.arn)
"""
LOGS_AND_METRICS = """
logs = LogBuckets("logs", {"chunks": "the-logs", "ruler": "", "key_arn": key.arn, "protect": False}, opts)
metrics = MetricsWorkspace("metrics", {"identity": identity, "key_arn": key.arn, "protect": False}, opts)
pulumi.export("remoteWriteUrl", metrics.remote_write_url)
"""
SEARCH = """
SearchDomain("search", {"identity": identity, "key_arn": key.arn, "vpc_id": pulumi.Config().require("vpc"),
    "subnet_ids": pulumi.Config().require_object("subnets"),
    "cluster_security_group_id": pulumi.Config().require("nodes"),
    "instance_type": "m7g.large.search", "instances": 2, "storage": "100Gi", "username": "jaeger",
    "password": "Hush-hush-1", "protect": False}, opts)
"""


def test_key_bucket_and_workspace_are_there_once_and_go(small_stack: Callable[..., Workspace]) -> None:
    with emulated_aws():
        stack = small_stack(PROGRAM + LOGS_AND_METRICS)
        engine.up(stack)
        engine.up(stack, expect_no_changes=True)
        outputs = engine.outputs(stack)
        kms, s3 = client("kms"), client("s3")
        assert kms.get_key_rotation_status(KeyId=outputs["key"])["KeyRotationEnabled"]
        policy = kms.get_key_policy(KeyId=outputs["key"], PolicyName="default")["Policy"]
        assert json.loads(policy) == key_policy(
            {
                "identity": ClusterIdentity("platform", REGION, ACCOUNT),
                "volume_role_arns": [],
                "cluster_admin_role_arns": [],
                "protect": False,
            }
        )
        assert "alias/platform-observability" in {one["AliasName"] for one in kms.list_aliases()["Aliases"]}
        (rule,) = s3.get_bucket_encryption(Bucket="the-logs")["ServerSideEncryptionConfiguration"]["Rules"]
        assert rule["ApplyServerSideEncryptionByDefault"] == {
            "SSEAlgorithm": "aws:kms",
            "KMSMasterKeyID": outputs["key"],
        }
        assert rule["BucketKeyEnabled"]
        blocked = s3.get_public_access_block(Bucket="the-logs")["PublicAccessBlockConfiguration"]
        assert blocked
        assert all(blocked.values())
        assert json.loads(s3.get_bucket_policy(Bucket="the-logs")["Policy"]) == policy_of(
            "arn:aws:s3:::the-logs", outputs["key"]
        )
        rules = s3.get_bucket_lifecycle_configuration(Bucket="the-logs")["Rules"]
        assert {rule["ID"] for rule in rules} == {"unfinished-uploads", "old-versions"}
        assert "Status" not in s3.get_bucket_versioning(Bucket="the-logs")
        assert outputs["remoteWriteUrl"].endswith("/api/v1/remote_write")
        engine.destroy(stack)
        assert s3.list_buckets()["Buckets"] == []
        assert client("amp").list_workspaces()["workspaces"] == []
        assert kms.describe_key(KeyId=outputs["key"])["KeyMetadata"]["KeyState"] == "PendingDeletion"


def test_the_search_domain_is_there_once_and_goes(small_stack: Callable[..., Workspace]) -> None:
    with emulated_aws():
        ec2, search = client("ec2"), client("opensearch")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{zone}.0/24")["Subnet"]["SubnetId"] for zone in range(2)
        ]
        nodes = ec2.create_security_group(GroupName="nodes", Description="of the cluster", VpcId=vpc)["GroupId"]
        stack = small_stack(PROGRAM + SEARCH, vpc=vpc, subnets=json.dumps(subnets), nodes=nodes)
        engine.up(stack)
        engine.up(stack, expect_no_changes=True)
        (group,) = ec2.describe_security_groups(
            Filters=[{"Name": "group-name", "Values": ["platform-observability-search"]}]
        )["SecurityGroups"]
        (entry,) = group["IpPermissions"]
        assert (entry["FromPort"], entry["ToPort"], entry["IpRanges"]) == (443, 443, [])
        assert [one["GroupId"] for one in entry["UserIdGroupPairs"]] == [nodes]
        domain = search.describe_domain(DomainName="platform-observability")["DomainStatus"]
        assert domain["EngineVersion"] == "OpenSearch_2.19"
        assert domain["ClusterConfig"]["ZoneAwarenessConfig"] == {"AvailabilityZoneCount": 2}
        assert domain["NodeToNodeEncryptionOptions"]["Enabled"]
        assert domain["EncryptionAtRestOptions"]["Enabled"]
        engine.destroy(stack)
        assert search.list_domain_names()["DomainNames"] == []
