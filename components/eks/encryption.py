"""The platform's own KMS key, which encrypts volumes, buckets, metrics, traces and secrets at rest."""

from collections.abc import Sequence
from typing import TypedDict

import pulumi
import pulumi_aws as aws

from components.eks.policies import ClusterIdentity, Document, volume_statements
from settings.eks.aws import dns_suffix

# The longest window of KMS: time to notice a deleted key before the data that it encrypts is lost.
_DELETION_DAYS = 30
# Services that encrypt with the key on behalf of their callers: the metrics workspace, EBS volumes (ec2), the search
# domain, buckets, and secrets that channels refer to. EKS uses a grant to encrypt the cluster's Secrets.
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
    """The key is named after this cluster."""
    volume_role_arns: Sequence[str]
    """Existing roles outside this program that create volumes with the key, such as that of an existing driver."""
    cluster_admin_role_arns: Sequence[str]
    """Roles that may create the cluster and its secrets with the key; empty if the cluster exists."""
    log_groups: Sequence[str]
    """Names of the CloudWatch log groups that are encrypted with the key."""
    protect: bool
    """Whether Pulumi refuses to delete the key, and AWS retains it when it leaves the program."""


class EncryptionKey(pulumi.ComponentResource):
    """A symmetric key with yearly rotation. Without it, all stored data is unreadable."""

    arn: pulumi.Output[str]
    alias: pulumi.Output[str]
    """alias/<names>-observability, see ClusterIdentity."""

    def __init__(self, name: str, args: EncryptionKeyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:EncryptionKey", name, {}, opts)
        identity = args["identity"]
        protected = pulumi.ResourceOptions(parent=self, protect=args["protect"], retain_on_delete=args["protect"])
        key = aws.kms.Key(
            f"{name}-key",
            description=f"Data at rest of the observability platform in the EKS cluster {identity.name}",
            enable_key_rotation=True,
            deletion_window_in_days=_DELETION_DAYS,
            policy=pulumi.Output.json_dumps(key_policy(args)),
            opts=protected,
        )
        alias = aws.kms.Alias(
            f"{name}-alias",
            name=f"alias/{identity.prefix}",
            target_key_id=key.key_id,
            opts=protected,
        )
        self.arn, self.alias = key.arn, alias.name
        self.register_outputs({"arn": self.arn, "alias": self.alias})


def key_policy(args: EncryptionKeyArgs) -> Document:
    """The key's policy. In it, the resource `*` means the key itself.

    A statement whose principal is the account applies to identities in this account that an IAM policy also permits.
    Nobody may decrypt directly, only through a service that encrypts with the key. Other accounts have no access.
    """
    identity = args["identity"]
    account = {"AWS": f"arn:{identity.partition}:iam::{identity.account_id}:root"}
    services = [f"{service}.{identity.region}.amazonaws.com" for service in _SERVICES]
    return {
        "Version": "2012-10-17",
        "Statement": [
            _allow(account, "Administration", _ADMINISTRATION),
            _allow(account, "UseThroughServices", _USE, {"StringEquals": {"kms:ViaService": services}}),
            # A service that later uses the key on its own (for an attached volume, a cluster, a domain) needs a grant,
            # which it requests in the name of the resource's creator. Only services can receive such grants; _cluster
            # has the exception for the roles that create the cluster.
            _allow(account, "GrantsToServices", ("kms:CreateGrant",), {"Bool": {"kms:GrantIsForAWSResource": "true"}}),
            *_volumes(args),
            *_cluster(args, account),
            *_logs(args),
        ],
    }


def _volumes(args: EncryptionKeyArgs) -> list[Document]:
    """The permissions of policies.volumes for roles outside this program, to which it cannot attach a policy."""
    roles = sorted(args["volume_role_arns"])
    statements = volume_statements(["*"], args["identity"].region) if roles else []
    return [{**statement, "Principal": {"AWS": roles}} for statement in statements]


def _cluster(args: EncryptionKeyArgs, account: Document) -> list[Document]:
    """Statements for creating a cluster with the key.

    EKS requests its grant when the cluster is created, but does not mark it as a grant for a service (EKS user guide,
    "Encrypt Kubernetes secrets with KMS"). The roles that may create the cluster may therefore grant to anybody.
    """
    roles = sorted(args["cluster_admin_role_arns"])
    if not roles:
        return []
    makers: Document = {"ArnEquals": {"aws:PrincipalArn": roles}}
    return [_allow(account, "GrantToCluster", ("kms:CreateGrant",), makers)]


def _logs(args: EncryptionKeyArgs) -> list[Document]:
    """Lets CloudWatch encrypt these log groups only. It acts as itself and names the log group in each request."""
    identity = args["identity"]
    arns = [identity.log_group_arn(name) for name in sorted(args["log_groups"])]
    if not arns:
        return []
    service = {"Service": f"logs.{identity.region}.{dns_suffix(identity.region)}"}
    return [_allow(service, "Logs", _USE, {"ArnEquals": {"kms:EncryptionContext:aws:logs:arn": arns}})]


def _allow(principal: Document, sid: str, actions: tuple[str, ...], condition: Document | None = None) -> Document:
    statement: Document = {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": principal,
        "Action": list(actions),
        "Resource": "*",
    }
    return statement if condition is None else {**statement, "Condition": condition}
