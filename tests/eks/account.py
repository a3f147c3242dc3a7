"""An AWS account at moto that has what staging needs, and what the checks before a deployment say of it."""

import boto3

from components.eks import preflight
from settings import parsing
from settings import values as setting_values
from settings.eks.facts import Findings
from settings.eks.secret_references import Reference
from settings.values import Values
from tests.mock_engine import SECRETS, stack_config

REGION, ACCOUNT = "eu-central-1", "123456789012"
CLUSTER = "observability-staging"
ARN = f"arn:aws:{{}}:{REGION}:{ACCOUNT}:{{}}"
DRIVER = {"namespace": "kube-system", "serviceAccount": "ebs-csi-controller-sa"}
SEARCH = {
    "jaegerStorageBackend": "opensearch",
    "opensearchDomain": "true",
    "opensearchUsername": "jaeger",
    "opensearchPassword": "aws-secret:search",
    "clusterSubnetIds": '["subnet-0a1b2c3d4e5f60001", "subnet-0a1b2c3d4e5f60002", "subnet-0a1b2c3d4e5f60003"]',
}
SUBNETS = ["subnet-0a1b2c3d4e5f60001", "subnet-0a1b2c3d4e5f60002"]
GROUP = "sg-0c1c2c3c4c5c6c7c8"
"""The security group that EKS makes for the cluster."""
SUPPORT = {"1.32": "EXTENDED_SUPPORT", "1.33": "EXTENDED_SUPPORT", "1.34": "STANDARD_SUPPORT"}
SUPPORT |= dict.fromkeys(("1.35", "1.36", "1.37"), "STANDARD_SUPPORT")
"""Version of Kubernetes -> its support by EKS."""


class Account:
    """An account that has what staging needs."""

    def __init__(self) -> None:
        self.eks, self.s3, self.kms, self.acm, self.amp, self.ec2 = (
            boto3.client(name, region_name=REGION) for name in ("eks", "s3", "kms", "acm", "amp", "ec2")
        )
        self.vpc_id = self.ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
        self.load_balancer_subnets = [
            self.subnet(f"10.1.{number}.0/24", f"{REGION}{zone}", **{"kubernetes.io/role/internal-elb": "1"})
            for number, zone in enumerate("ab")
        ]
        self.zone = boto3.client("route53").create_hosted_zone(Name="staging.example.com", CallerReference="x")
        self.eks.create_cluster(
            name=CLUSTER,
            version="1.34",
            roleArn=f"arn:aws:iam::{ACCOUNT}:role/eks",
            resourcesVpcConfig={"subnetIds": SUBNETS},
        )

    @property
    def zone_id(self) -> str:
        return self.zone["HostedZone"]["Id"].rsplit("/", 1)[-1]

    def subnet(self, cidr: str, zone: str, **tags: str) -> str:
        made = self.ec2.create_subnet(VpcId=self.vpc_id, CidrBlock=cidr, AvailabilityZone=zone)["Subnet"]["SubnetId"]
        if tags:
            self.ec2.create_tags(Resources=[made], Tags=[{"Key": key, "Value": value} for key, value in tags.items()])
        return made

    def node(self, *groups: str) -> None:
        """A node as a managed node group makes it."""
        tags = [{"Key": f"kubernetes.io/cluster/{CLUSTER}", "Value": "owned"}]
        self.ec2.run_instances(
            ImageId="ami-12345678",
            MinCount=1,
            MaxCount=1,
            SubnetId=self.load_balancer_subnets[0],
            SecurityGroupIds=list(groups),
            TagSpecifications=[{"ResourceType": "instance", "Tags": tags}],
        )

    def security_group(self, name: str) -> str:
        return self.ec2.create_security_group(GroupName=name, Description=name, VpcId=self.vpc_id)["GroupId"]

    def bucket(self, name: str, *, region: str = REGION, **tags: str) -> None:
        client = boto3.client("s3", region_name=region)
        client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
        if tags:
            pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
            client.put_bucket_tagging(Bucket=name, Tagging={"TagSet": pairs})


def values_of(stack: str, **changes: str) -> Values:
    """The values of a stack's file, without its rules, whose checks take longer than those of AWS."""
    config = stack_config(stack) | changes
    hidden = {*SECRETS, *setting_values.SECRETS}
    typed = parsing.typed({key: text for key, text in config.items() if key not in hidden})
    values, wrong = parsing.values(typed, list(SECRETS))
    assert values, wrong
    return values


def check(account: Account, references: dict[str, Reference] | None = None, **changes: str) -> Findings:
    zones = {
        "hosted_zone_id": changes.pop("hostedZoneId", account.zone_id),
        "certificate_zone_id": changes.pop("certificateZoneId", ""),
    }
    values = values_of("staging", **{"awsAccountId": ACCOUNT} | changes)
    # Zones of moto are not named like those of AWS, which the settings check.
    return preflight.check(values.model_copy(update=zones), references or {}, "staging")
