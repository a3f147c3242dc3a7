"""Stack outputs about EKS and AWS: the resources that the stack uses, each with a command that shows it."""

from collections.abc import Mapping
from typing import Any

import pulumi

from components.eks.identities import Identity
from components.eks.platform import Foundation
from settings.eks import access
from settings.stack import Settings


def outputs(settings: Settings, foundation: Foundation, roles: Mapping[str, Identity]) -> dict[str, Any]:
    """Names, ARNs and commands of the stack's AWS resources. Omits parts that the stack does not have."""
    values, stores = settings.values, foundation.stores
    suffix = f" --region {values.aws_region}" + (f" --profile {values.aws_profile}" if values.aws_profile else "")

    def opened(command: str, **facts: pulumi.Input[str]) -> dict[str, pulumi.Input[str]]:
        """The facts, and the command with the facts inserted."""
        return {**facts, "open": pulumi.Output.format(f"{command}{suffix}", **facts)}

    parts: dict[str, Any] = {
        "cluster": {
            "name": foundation.cluster_name,
            "arn": foundation.cluster.arn,
            "open": access.login_command(values),
        },
        "key": opened("aws kms describe-key --key-id {arn}", arn=stores.key_arn),
        "buckets": {
            name: opened("aws s3 ls s3://{name}", name=name, arn=arn) for name, arn in stores.loki_buckets.items()
        },
        "roles": {
            account: opened(
                "aws iam get-role --role-name {name}", name=foundation.cluster.role_name(account), arn=identity.role_arn
            )
            for account, identity in roles.items()
        },
    }
    if stores.workspace:
        parts["workspace"] = opened(
            "aws amp describe-workspace --workspace-id {id}",
            id=stores.workspace.id,
            arn=stores.workspace.arn,
            remote_write_url=stores.remote_write_url,
        )
    if stores.search_domain:
        parts["search"] = opened(
            "aws opensearch describe-domain --domain-name {name}", name=stores.search_domain, url=stores.opensearch_url
        )
    return parts
