"""The cluster and the key that the tests of single components speak of."""

from components.eks.policies import ClusterIdentity
from tests import mock_aws

CLUSTER = ClusterIdentity("eks-test", mock_aws.REGION, mock_aws.ACCOUNT)
KEY = f"arn:aws:kms:{mock_aws.REGION}:{mock_aws.ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
