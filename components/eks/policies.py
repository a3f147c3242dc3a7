"""IAM policies as documents: the permissions of each role, and its trust. Pure, so that every action is tested.

Actions and resources have no wildcards, except for the objects of a bucket and for actions without resource types.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from settings.eks.aws import partition

Document = dict[str, Any]
"""A policy in IAM's form, before its conversion to JSON."""

_ROLE_NAME_LENGTH = 64


@dataclass(frozen=True)
class ClusterIdentity:
    """Identifies an EKS cluster in all of AWS. Known before the cluster exists."""

    name: str
    region: str
    account_id: str
    """12 digits."""
    names: str = ""
    """Start of the names of all other AWS resources; the cluster's own name by default. A cluster that replaces another
    keeps it, and with it the names of the data stores."""
    role_path: str = "/"
    """Path of all roles."""
    boundary_arn: str = ""
    """Policy that bounds all roles; empty for none."""

    @property
    def prefix(self) -> str:
        """Start of the names of AWS resources, such as `staging-observability`."""
        return f"{self.names or self.name}-observability"

    @property
    def partition(self) -> str:
        """The AWS partition of the region."""
        return partition(self.region)

    @property
    def arn(self) -> str:
        """The ARN that EKS gives to a cluster of this name."""
        return f"arn:{self.partition}:eks:{self.region}:{self.account_id}:cluster/{self.name}"

    @property
    def log_group(self) -> str:
        """Name of the CloudWatch log group of the control plane."""
        return f"/aws/eks/{self.name}/cluster"

    def log_group_arn(self, name: str) -> str:
        """The ARN that CloudWatch gives to the log group of this name."""
        return f"arn:{self.partition}:logs:{self.region}:{self.account_id}:log-group:{name}"

    def managed_policy(self, name: str) -> str:
        """ARN of an AWS managed policy."""
        return f"arn:{self.partition}:iam::aws:policy/{name}"

    def role_name(self, user: str) -> str:
        """Name of the role of `user`, which is unique in the account: IAM has no regions, so the name has the region.

        It always contains `-observability-`, by which docs/iam/write.json limits whose roles may be written. A name of
        more than IAM's 64 characters is cut before that, and has a hash of the whole name there.
        """
        start, end = f"{self.names or self.name}-{self.region}", f"-observability-{user}"
        if len(start) + len(end) <= _ROLE_NAME_LENGTH:
            return start + end
        digest = hashlib.sha256((start + end).encode()).hexdigest()[:8]
        return f"{start[: _ROLE_NAME_LENGTH - len(end) - 9]}-{digest}{end}"


def loki(bucket_arns: Sequence[str], key_arn: str | None) -> Document:
    """Permission to read, write and (for the compactor) delete objects in these buckets, and to use a given key."""
    statements = [
        _allow("ListBuckets", ["s3:ListBucket"], list(bucket_arns)),
        # Loki chooses the names of its objects.
        _allow("Objects", ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"], [f"{arn}/*" for arn in bucket_arns]),
    ]
    if key_arn is not None:
        # GenerateDataKey is for writes and Decrypt for reads, both only through S3.
        statements.append(
            _allow("ObjectKey", ["kms:Decrypt", "kms:GenerateDataKey"], [key_arn], _via("s3", _region(key_arn))),
        )
    return _document(*statements)


def workspace(workspace_arn: str) -> Document:
    """Permission to write to a workspace of Amazon Managed Prometheus, and to query it."""
    reads = ["aps:GetLabels", "aps:GetMetricMetadata", "aps:GetSeries", "aps:QueryMetrics"]
    return _document(_allow("Workspace", [*reads, "aps:RemoteWrite"], [workspace_arn]))


def assume(role_arn: str) -> Document:
    """Permission to become another role, whose trust policy must allow the same two actions to this one."""
    return _document(_allow("AssumeRole", ["sts:AssumeRole", "sts:TagSession"], [role_arn]))


def xray() -> Document:
    """Permission to send traces to X-Ray's OTLP endpoint. Excludes sampling rules, because the collectors sample."""
    return _document(
        _allow(
            "SendTraces",
            # AWS' guide to the endpoint names a policy with the last action, and its reference of actions names the
            # first two for OTLP. None of them reads.
            ["xray:PutSpans", "xray:PutSpansForIndexing", "xray:PutTraceSegments"],
            # These actions have no resource types.
            ["*"],
        )
    )


def volumes(key_arn: str) -> Document:
    """Permission to create and attach EBS volumes that are encrypted with the key. Only through EC2."""
    return _document(*volume_statements([key_arn], _region(key_arn)))


def volume_statements(keys: list[str], region: str) -> list[Document]:
    """The statements of `volumes`, which a key policy can use, too."""
    via = _via("ec2", region)
    return [
        _allow(
            "VolumeKey",
            [
                "kms:Decrypt",
                "kms:DescribeKey",
                "kms:GenerateDataKeyWithoutPlaintext",
                # For a volume from a snapshot with another key.
                "kms:ReEncryptFrom",
                "kms:ReEncryptTo",
            ],
            keys,
            via,
        ),
        # An attached volume needs the key as long as it is attached, for which only EC2 may get a grant.
        _allow("VolumeGrant", ["kms:CreateGrant"], keys, {**via, "Bool": {"kms:GrantIsForAWSResource": "true"}}),
    ]


def pod_trust(cluster: ClusterIdentity, namespace: str, *service_accounts: str) -> Document:
    """Trust policy for the pods of service accounts in a cluster, with EKS Pod Identity."""
    return _trust(
        "pods.eks.amazonaws.com",
        # EKS tags the session with the names of cluster, namespace, service account and pod.
        ["sts:AssumeRole", "sts:TagSession"],
        {
            "StringEquals": {
                "aws:SourceAccount": cluster.account_id,
                # Equivalent to aws:SourceArn, about whose form for this service there are contradicting reports.
                "aws:RequestTag/eks-cluster-arn": cluster.arn,
                "aws:RequestTag/kubernetes-namespace": namespace,
                "aws:RequestTag/kubernetes-service-account": (
                    service_accounts[0] if len(service_accounts) == 1 else sorted(service_accounts)
                ),
            }
        },
    )


def token_trust(provider_arn: str, namespace: str, *service_accounts: str) -> Document:
    """Trust policy for the pods of service accounts whose tokens an OIDC provider of IAM knows (IRSA)."""
    issuer = provider_arn.partition(":oidc-provider/")[2]
    subjects = sorted(f"system:serviceaccount:{namespace}:{account}" for account in service_accounts)
    conditions = {"StringEquals": {f"{issuer}:aud": "sts.amazonaws.com", f"{issuer}:sub": subjects}}
    statement = {
        "Sid": "Trust",
        "Effect": "Allow",
        "Principal": {"Federated": provider_arn},
        "Action": ["sts:AssumeRoleWithWebIdentity"],
        "Condition": conditions,
    }
    return _document(statement)


def control_plane_trust(cluster: ClusterIdentity) -> Document:
    """Trust policy for EKS, limited to a cluster in Auto Mode."""
    return _trust(
        "eks.amazonaws.com",
        # Auto Mode tags its sessions with the cluster's name, by which its managed policies distinguish clusters.
        ["sts:AssumeRole", "sts:TagSession"],
        {
            "StringEquals": {"aws:SourceAccount": cluster.account_id},
            "ArnLike": {"aws:SourceArn": cluster.arn},
        },
    )


def node_trust() -> Document:
    """Trust policy for EC2, for the nodes."""
    return _trust("ec2.amazonaws.com", ["sts:AssumeRole"])


def _region(arn: str) -> str:
    return arn.split(":")[3]


def _via(service: str, region: str) -> Document:
    return {"StringEquals": {"kms:ViaService": f"{service}.{region}.amazonaws.com"}}


def _trust(service: str, actions: list[str], condition: Document | None = None) -> Document:
    statement = {"Sid": "Trust", "Effect": "Allow", "Principal": {"Service": service}, "Action": actions}
    return _document(statement if condition is None else {**statement, "Condition": condition})


def _allow(sid: str, actions: list[str], resources: list[str], condition: Document | None = None) -> Document:
    statement = {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
    return statement if condition is None else {**statement, "Condition": condition}


def _document(*statements: Document) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}
