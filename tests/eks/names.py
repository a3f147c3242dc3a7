"""The cluster and the key that the tests of single components speak of."""

from components.eks.policies import ClusterIdentity
from tools.recording import aws

CLUSTER = ClusterIdentity("eks-test", aws.REGION, aws.ACCOUNT)
KEY = f"arn:aws:kms:{aws.REGION}:{aws.ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
