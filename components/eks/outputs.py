"""Stack outputs of EKS and AWS: what the program made or uses there, each with the command that opens it."""

from collections.abc import Mapping
from typing import Any

import pulumi

from components.eks.identities import Identity
from components.eks.platform import Foundation
from settings.eks import access
from settings.stack import Settings


def outputs(settings: Settings, base: Foundation, roles: Mapping[str, Identity]) -> dict[str, Any]:
    """What is where in AWS; parts that the stack does not have are left out."""
    values, kept = settings.values, base.stores
    suffix = f" --region {values.aws_region}" + (f" --profile {values.aws_profile}" if values.aws_profile else "")

    def opened(command: str, **known: pulumi.Input[str]) -> dict[str, pulumi.Input[str]]:
        """The facts, and the command with them filled in."""
        return {**known, "open": pulumi.Output.format(f"{command}{suffix}", **known)}

    found: dict[str, Any] = {
        "cluster": {"name": base.cluster_name, "arn": base.cluster.arn, "open": access.login_command(values)},
        "key": opened("aws kms describe-key --key-id {arn}", arn=kept.key_arn),
        "buckets": {
            name: opened("aws s3 ls s3://{name}", name=name, arn=arn) for name, arn in kept.loki_buckets.items()
        },
        "roles": {
            account: opened(
                "aws iam get-role --role-name {name}", name=base.cluster.role_name(account), arn=identity.role_arn
            )
            for account, identity in roles.items()
        },
    }
    if kept.workspace:
        found["workspace"] = opened(
            "aws amp describe-workspace --workspace-id {id}",
            id=kept.workspace.id,
            arn=kept.workspace.arn,
            remote_write_url=kept.remote_write_url,
        )
    if kept.search_domain:
        found["search"] = opened(
            "aws opensearch describe-domain --domain-name {name}", name=kept.search_domain, url=kept.opensearch_url
        )
    return found
