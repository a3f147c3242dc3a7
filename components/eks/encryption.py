"""The platform's own KMS key: volumes, buckets, metrics, traces and secrets at rest."""

from typing import TypedDict

import pulumi
import pulumi_aws as aws

from components.eks.policies import ClusterIdentity, Document

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
            policy=pulumi.Output.json_dumps(key_policy(identity)),
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


def key_policy(identity: ClusterIdentity) -> Document:
    """Who may do what with the key; in a key's policy the resource `*` is the key itself.

    The principal is the account, and that means: whoever of this account has the right by an IAM policy, too. Nobody
    may decrypt directly, only through a service that encrypts with the key, and nobody of another account may at all.
    """
    services = [f"{service}.{identity.region}.amazonaws.com" for service in _SERVICES]
    return {
        "Version": "2012-10-17",
        "Statement": [
            _allow(identity, "Administration", _ADMINISTRATION),
            _allow(identity, "UseThroughServices", _USE, {"StringEquals": {"kms:ViaService": services}}),
            # A service that works by itself later (an attached volume, a cluster, a domain) needs a grant for that
            # long, and asks for it in the name of whoever created the thing. Nobody can grant to anyone else.
            _allow(identity, "GrantsToServices", ("kms:CreateGrant",), {"Bool": {"kms:GrantIsForAWSResource": "true"}}),
        ],
    }


def _allow(
    identity: ClusterIdentity, sid: str, actions: tuple[str, ...], condition: Document | None = None
) -> Document:
    statement: Document = {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:{identity.partition}:iam::{identity.account_id}:root"},
        "Action": list(actions),
        "Resource": "*",
    }
    return statement if condition is None else {**statement, "Condition": condition}
