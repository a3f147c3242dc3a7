"""The rights of the workflows' roles: docs/iam, limited to one stack's state and key, and to bounded roles. Pure."""

import json
from typing import Any

from alerting.files import ROOT
from bootstrap.settings import BootstrapSettings

Document = dict[str, Any]

_FOLDER = ROOT / "docs" / "iam"
# Placeholders for the account, the bucket and the stack in the policies of docs/iam.
_ACCOUNT, _BUCKET, _STACK = "111122223333", "example-pulumi-state", "example-stack"
_STATE, _STATE_KEY, _ROLES = "State", "StateKey", "Roles"
# Whoever may give rights to a role, or remove its boundary, must leave the role bounded.
_BOUNDED = (
    "iam:AttachRolePolicy",
    "iam:CreateRole",
    "iam:DeleteRolePolicy",
    "iam:DetachRolePolicy",
    "iam:PutRolePolicy",
)


def state_alias(stack: str) -> str:
    """Alias of the key that encrypts a stack's secrets. Each stack has its own, so that no role opens another's."""
    return f"alias/pulumi-state-{stack}"


def read_rights(settings: BootstrapSettings, bucket_key_arn: str, stack: str) -> Document:
    """Rights of previews and of the search for drift."""
    document = _document("read", settings, stack)
    listing = _allow("StateList", ["s3:ListBucket"], [settings.bucket_arn])
    statements = [_for_stack(one, settings, stack) for one in document["Statement"]]
    zone_role = settings.hosted_zone_role_arn
    # A preview needs it, too: the provider assumes the role before it compares the records.
    zone = [_allow("HostedZone", ["sts:AssumeRole"], [zone_role])] if zone_role else []
    return {**document, "Statement": [*statements, *zone, listing, _bucket_key(bucket_key_arn, "Decrypt")]}


def write_rights(settings: BootstrapSettings, bucket_key_arn: str, stack: str, boundary_arn: str) -> Document:
    """Rights of deployments, besides read_rights. The roles that they create must have the boundary."""
    document = _document("write", settings, stack)
    statements: list[Document] = []
    for one in document["Statement"]:
        statements += _bounded(one, boundary_arn) if one["Sid"] == _ROLES else [_for_stack(one, settings, stack)]
    return {**document, "Statement": [*statements, _bucket_key(bucket_key_arn, "GenerateDataKey")]}


def boundary(partition: str) -> Document:
    """The most that a role of the platform can ever do. It contains no right to change identities.

    Auto Mode's own policies need EC2, load balancers, container images and instance profiles; pods need their stores.
    """
    return {
        "Version": "2012-10-17",
        "Statement": [
            _allow(
                "Services",
                [
                    f"{service}:*"
                    for service in ("aps", "ec2", "ecr", "eks", "eks-auth", "elasticloadbalancing", "kms", "xray")
                ],
                ["*"],
            ),
            _allow("Logs", ["s3:*"], [f"arn:{partition}:s3:::observability-*"]),
            _allow(
                "NodesOfAutoMode",
                [
                    "iam:AddRoleToInstanceProfile",
                    "iam:CreateInstanceProfile",
                    "iam:CreateServiceLinkedRole",
                    "iam:DeleteInstanceProfile",
                    "iam:GetInstanceProfile",
                    "iam:GetRole",
                    "iam:ListInstanceProfiles",
                    "iam:ListInstanceProfilesForRole",
                    "iam:PassRole",
                    "iam:RemoveRoleFromInstanceProfile",
                    "iam:TagInstanceProfile",
                ],
                ["*"],
            ),
            _allow(
                "Managed",
                [
                    "acm:DescribeCertificate",
                    "acm:ListCertificates",
                    "cognito-idp:DescribeUserPoolClient",
                    "pricing:GetProducts",
                    "shield:GetSubscriptionState",
                    "sqs:DeleteMessage",
                    "sqs:ReceiveMessage",
                    "ssm:GetParameter",
                    "sts:GetCallerIdentity",
                    "waf-regional:GetWebACLForResource",
                    "wafv2:GetWebACLForResource",
                ],
                ["*"],
            ),
        ],
    }


def trust(provider_arn: str, repository: str, environment: str) -> Document:
    """Lets the workflows of one environment of the repository assume a role."""
    issuer = "token.actions.githubusercontent.com"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Environment",
                "Effect": "Allow",
                "Principal": {"Federated": provider_arn},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {
                    "StringEquals": {
                        f"{issuer}:aud": "sts.amazonaws.com",
                        f"{issuer}:sub": f"repo:{repository}:environment:{environment}",
                    }
                },
            }
        ],
    }


def _document(name: str, settings: BootstrapSettings, stack: str) -> Document:
    text = (_FOLDER / f"{name}.json").read_text().replace("arn:aws:", f"arn:{settings.partition}:")
    text = text.replace(_STACK, stack)
    return json.loads(text.replace(_ACCOUNT, settings.account_id).replace(_BUCKET, settings.state_bucket))


def _for_stack(statement: Document, settings: BootstrapSettings, stack: str) -> Document:
    """The statement, with the state and the key of one stack in place of all."""
    if statement["Sid"] == _STATE_KEY:
        return {**statement, "Condition": {"ForAnyValue:StringEquals": {"kms:ResourceAliases": state_alias(stack)}}}
    if statement["Sid"] != _STATE:
        return statement
    objects = f"{settings.bucket_arn}/.pulumi"
    return {
        **statement,
        "Action": [action for action in statement["Action"] if action != "s3:ListBucket"],
        # Pulumi's names: the state, its history and backups, and locks; each below the project's name.
        "Resource": [
            f"{objects}/meta.yaml",
            f"{objects}/*/observability/{stack}.json*",
            f"{objects}/*/observability/{stack}/*",
        ],
    }


def _bounded(statement: Document, boundary_arn: str) -> list[Document]:
    bounded = [action for action in statement["Action"] if action in _BOUNDED]
    others = [action for action in statement["Action"] if action not in _BOUNDED]
    condition = {"StringEquals": {"iam:PermissionsBoundary": boundary_arn}}
    return [
        {**statement, "Action": others},
        {**statement, "Sid": f"Bounded{statement['Sid']}", "Action": bounded, "Condition": condition},
    ]


def _bucket_key(key_arn: str, right: str) -> Document:
    via = {"StringLike": {"kms:ViaService": "s3.*.amazonaws.com"}}
    return {**_allow("StateBucketKey", [f"kms:{right}"], [key_arn]), "Condition": via}


def _allow(sid: str, actions: list[str], resources: list[str]) -> Document:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
