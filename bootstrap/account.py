"""What an account needs for the platform's stacks: state bucket, keys, GitHub's provider, roles, and a boundary."""

from typing import Any

import pulumi
import pulumi_aws as aws

from bootstrap import rights
from bootstrap.settings import BootstrapSettings
from bootstrap.state_bucket import StateBucket

_GITHUB = "https://token.actions.githubusercontent.com"
_SESSION_SECONDS = {"preview": 3600, "deploy": 4 * 3600}
"""An update of an OpenSearch domain takes up to three hours, and the session must outlast it."""
_BOUNDARY = "observability-boundary"


class Account(pulumi.ComponentResource):
    """The prerequisites of the platform's stacks in one account."""

    backend: pulumi.Output[str]
    """Value of PULUMI_BACKEND_URL."""
    stacks: dict[str, dict[str, Any]]
    """Stack -> secrets provider, permissions boundary, and the role of each GitHub environment."""

    def __init__(self, name: str, settings: BootstrapSettings, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:bootstrap:Account", name, {}, opts)
        provider = aws.Provider(
            f"{name}-aws",
            region=settings.region,
            allowed_account_ids=[settings.account_id],
            default_tags={"tags": {"managed-by": "pulumi", "stack": "bootstrap"}},
            opts=pulumi.ResourceOptions(parent=self),
        )
        child = pulumi.ResourceOptions(parent=self, provider=provider)
        bucket = StateBucket("state", settings.state_bucket, pulumi.ResourceOptions(parent=self, provider=provider))
        github = settings.github_provider_arn or _github(child)
        boundary = aws.iam.Policy(
            "boundary",
            name=_BOUNDARY,
            description="The most that a role of the observability platform can do",
            policy=pulumi.Output.json_dumps(rights.boundary(settings.partition)),
            opts=child,
        )
        if settings.search_role:
            aws.iam.ServiceLinkedRole(
                "search-role",
                aws_service_name="opensearchservice.amazonaws.com",
                # All domains of the account share it.
                opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(retain_on_delete=True)),
            )
        self.backend = bucket.name.apply(lambda known: f"s3://{known}?region={settings.region}")
        self.stacks = {stack: _stack(stack, settings, bucket, boundary.arn, github, child) for stack in settings.stacks}
        self.register_outputs({"backend": self.backend, "stacks": self.stacks})


def _github(child: pulumi.ResourceOptions) -> pulumi.Output[str]:
    return aws.iam.OpenIdConnectProvider("github", url=_GITHUB, client_id_lists=["sts.amazonaws.com"], opts=child).arn


def _stack(
    stack: str,
    settings: BootstrapSettings,
    bucket: StateBucket,
    boundary_arn: pulumi.Output[str],
    github_arn: pulumi.Input[str],
    child: pulumi.ResourceOptions,
) -> dict[str, Any]:
    """The key of a stack's secrets, and its two roles."""
    key = aws.kms.Key(
        f"{stack}-key",
        description=f"Secrets of the Pulumi stack {stack}",
        enable_key_rotation=True,
        deletion_window_in_days=30,
        opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(protect=True, retain_on_delete=True)),
    )
    alias = aws.kms.Alias(f"{stack}-alias", name=rights.state_alias(stack), target_key_id=key.key_id, opts=child)
    read = bucket.key_arn.apply(lambda key_arn: rights.read_rights(settings, key_arn, stack))
    write = pulumi.Output.all(bucket.key_arn, boundary_arn).apply(
        lambda known: rights.write_rights(settings, known[0], stack, known[1])
    )
    policies = {
        name: aws.iam.Policy(
            f"{stack}-{name}",
            name=f"observability-{stack}-{name}",
            policy=pulumi.Output.json_dumps(document),
            opts=child,
        )
        for name, document in (("read", read), ("write", write))
    }
    environments = {
        f"{stack}-preview": _role(stack, "preview", [policies["read"]], settings, github_arn, child),
        stack: _role(stack, "deploy", [policies["read"], policies["write"]], settings, github_arn, child),
    }
    return {
        "secrets_provider": alias.name.apply(lambda name: f"awskms://{name}?region={settings.region}"),
        "permissions_boundary_arn": boundary_arn,
        "roles": environments,
    }


def _role(
    stack: str,
    purpose: str,
    policies: list[aws.iam.Policy],
    settings: BootstrapSettings,
    github_arn: pulumi.Input[str],
    child: pulumi.ResourceOptions,
) -> pulumi.Output[str]:
    """ARN of a role that one GitHub environment may assume, once it has its rights."""
    environment = f"{stack}-preview" if purpose == "preview" else stack
    role = aws.iam.Role(
        f"{stack}-{purpose}-role",
        # It must not match `*-observability-*`, the roles that a deployment may change.
        name=f"observability-{stack}-{purpose}",
        description=f"GitHub environment {environment} of {settings.repository}",
        max_session_duration=_SESSION_SECONDS[purpose],
        assume_role_policy=pulumi.Output.json_dumps(
            pulumi.Output.from_input(github_arn).apply(lambda arn: rights.trust(arn, settings.repository, environment))
        ),
        opts=child,
    )
    attached = [
        aws.iam.RolePolicyAttachment(
            f"{stack}-{purpose}-rights-{number}", role=role.name, policy_arn=policy.arn, opts=child
        )
        for number, policy in enumerate(policies)
    ]
    return pulumi.Output.all(role.arn, *(one.id for one in attached)).apply(lambda known: known[0])
