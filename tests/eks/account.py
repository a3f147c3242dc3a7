"""An AWS account at moto that has what staging needs, and what the checks before a deployment say of it."""

import boto3

from components.eks import preflight
from settings import stack
from settings.eks.facts import Findings
from settings.eks.secret_references import Reference
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
    "clusterSubnetIds": '["subnet-0a1b2c3d4e5f60001", "subnet-0a1b2c3d4e5f60002"]',
}
SUBNETS = ["subnet-0a1b2c3d4e5f60001", "subnet-0a1b2c3d4e5f60002"]


class Account:
    """An account that has what staging needs."""

    def __init__(self) -> None:
        self.eks, self.s3, self.kms, self.acm, self.amp = (
            boto3.client(name, region_name=REGION) for name in ("eks", "s3", "kms", "acm", "amp")
        )
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

    def bucket(self, name: str, *, region: str = REGION, **tags: str) -> None:
        client = boto3.client("s3", region_name=region)
        client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": region})
        if tags:
            pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
            client.put_bucket_tagging(Bucket=name, Tagging={"TagSet": pairs})


def check(account: Account, references: dict[str, Reference] | None = None, **changes: str) -> Findings:
    zone_id = changes.pop("hostedZoneId", account.zone_id)
    config = stack_config("staging") | SECRETS | {"awsAccountId": ACCOUNT} | changes
    values = stack.parse(config, list(SECRETS)).values
    # Zones of moto are not named like those of AWS, which the settings check.
    return preflight.check(values.model_copy(update={"hosted_zone_id": zone_id}), references or {}, "staging")
