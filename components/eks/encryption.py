"""The platform's own KMS key: volumes, buckets, metrics, traces and secrets at rest."""

from collections.abc import Sequence
from typing import TypedDict

import pulumi
import pulumi_aws as aws

from components.eks.policies import ClusterIdentity, Document, volume_statements

# Longest that KMS offers: time to notice that a key was deleted, before what it encrypted is lost.
_DELETION_DAYS = 30
# Services that encrypt with the key, for whoever may ask them to: the workspace of metrics, EBS volumes (ec2), the
# search domain, buckets, and secrets that channels refer to. EKS encrypts the cluster's Secrets by a grant.
_SERVICES = ("aps", "ec2", "es", "s3", "secretsmanager")
_ADMINISTRATION = (
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:DeleteAlias",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:DisableKeyRotation",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListKeyRotations",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:RevokeGrant",
    "kms:RotateKeyOnDemand",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
)
_USE = (
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)


class EncryptionKeyArgs(TypedDict):
    """Arguments of EncryptionKey."""

    identity: ClusterIdentity
    """Its cluster names the key."""
    volume_role_arns: Sequence[str]
    """Roles of others that make volumes with the key, such as an existing driver's; they must exist."""
    cluster_admin_role_arns: Sequence[str]
    """Roles of which one makes the cluster, its secrets and its logs with the key; none where the cluster exists."""
    protect: bool
    """Whether Pulumi refuses to delete it, and leaves it in AWS when it leaves the program."""


class EncryptionKey(pulumi.ComponentResource):
    """A symmetric key that rotates every year. Without it all that the platform stored is unreadable."""

    arn: pulumi.Output[str]
    alias: pulumi.Output[str]
    """alias/<cluster>-observability."""

    def __init__(self, name: str, args: EncryptionKeyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:EncryptionKey", name, {}, opts)
        identity = args["identity"]
        kept = pulumi.ResourceOptions(parent=self, protect=args["protect"], retain_on_delete=args["protect"])
        key = aws.kms.Key(
            f"{name}-key",
            description=f"Data at rest of the observability platform in the EKS cluster {identity.name}",
            enable_key_rotation=True,
            deletion_window_in_days=_DELETION_DAYS,
            policy=pulumi.Output.json_dumps(key_policy(args)),
            opts=kept,
        )
        alias = aws.kms.Alias(
            f"{name}-alias",
            name=f"alias/{identity.name}-observability",
            target_key_id=key.key_id,
            opts=kept,
        )
        self.arn, self.alias = key.arn, alias.name
        self.register_outputs({"arn": self.arn, "alias": self.alias})


def key_policy(args: EncryptionKeyArgs) -> Document:
    """Who may do what with the key; in a key's policy the resource `*` is the key itself.

    Where the principal is the account, that means: whoever of this account has the right by an IAM policy, too. Nobody
    may decrypt directly, only through a service that encrypts with the key, and nobody of another account may at all.
    """
    identity = args["identity"]
    account = {"AWS": f"arn:{identity.partition}:iam::{identity.account_id}:root"}
    services = [f"{service}.{identity.region}.amazonaws.com" for service in _SERVICES]
    return {
        "Version": "2012-10-17",
        "Statement": [
            _allow(account, "Administration", _ADMINISTRATION),
            _allow(account, "UseThroughServices", _USE, {"StringEquals": {"kms:ViaService": services}}),
            # A service that works by itself later (an attached volume, a cluster, a domain) needs a grant for that
            # long, and asks for it in the name of whoever created the thing. Nobody can grant to anyone else; who makes
            # the cluster is told of below.
            _allow(account, "GrantsToServices", ("kms:CreateGrant",), {"Bool": {"kms:GrantIsForAWSResource": "true"}}),
            *_volumes(args),
            *_cluster(args, account),
        ],
    }


def _volumes(args: EncryptionKeyArgs) -> list[Document]:
    """The rights of policies.volumes for roles that are not ours to give a policy to."""
    roles = sorted(args["volume_role_arns"])
    statements = volume_statements(["*"], args["identity"].region) if roles else []
    return [{**statement, "Principal": {"AWS": roles}} for statement in statements]


def _cluster(args: EncryptionKeyArgs, account: Document) -> list[Document]:
    """What a cluster needs that is made with the key.

    EKS gets its grant when the cluster is made, and does so without saying that it is for a service (EKS user guide,
    "Encrypt Kubernetes secrets with KMS"). So whoever makes it may grant to anyone.
    """
    roles = sorted(args["cluster_admin_role_arns"])
    if not roles:
        return []
    makers: Document = {"ArnEquals": {"aws:PrincipalArn": roles}}
    return [_allow(account, "GrantToCluster", ("kms:CreateGrant",), makers), _logs(args["identity"])]


def _logs(identity: ClusterIdentity) -> Document:
    """CloudWatch, which encrypts as itself and names the log group each time: for this one only."""
    suffix = "amazonaws.com.cn" if identity.partition == "aws-cn" else "amazonaws.com"
    return _allow(
        {"Service": f"logs.{identity.region}.{suffix}"},
        "ClusterLogs",
        _USE,
        {"ArnEquals": {"kms:EncryptionContext:aws:logs:arn": identity.log_group_arn}},
    )


def _allow(principal: Document, sid: str, actions: tuple[str, ...], condition: Document | None = None) -> Document:
    statement: Document = {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": principal,
        "Action": list(actions),
        "Resource": "*",
    }
    return statement if condition is None else {**statement, "Condition": condition}
