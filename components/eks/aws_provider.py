"""The providers of AWS resources. They set region, account and tags independently of the environment."""

from collections.abc import Sequence
from dataclasses import replace

import pulumi_aws as aws

from settings.eks.facts import Facts
from settings.values import Values

MANAGED_BY = "pulumi"
# Neither a secret nor valid in any account. The provider requires credentials, but an offline preview signs nothing.
_DUMMY = "offline"


def tags(values: Values, stack: str) -> dict[str, str]:
    """Tags of all AWS resources: their owner, their stack, and those of the settings."""
    return {**values.extra_tags, "owner": values.owner, "stack": stack, "managed-by": MANAGED_BY}


def aws_provider(name: str, values: Values, facts: Facts, stack: str) -> aws.Provider:
    """A provider for the account of `facts`. It rejects credentials of any other account, as preflight does."""
    return _provider(name, values, facts, stack, [values.aws_role_arn])


def zone_provider(name: str, values: Values, facts: Facts, stack: str) -> aws.Provider:
    """A provider for the account of hostedZoneRoleArn, which must be set. It rejects credentials of any other one."""
    role_arn = values.hosted_zone_role_arn
    of_zone = replace(facts, account_id=role_arn.split(":")[4])
    return _provider(name, values, of_zone, stack, [values.aws_role_arn, role_arn])


def _provider(name: str, values: Values, facts: Facts, stack: str, role_arns: Sequence[str]) -> aws.Provider:
    """A provider that assumes the roles in turn, each with the credentials of the one before. "" stands for no role."""
    if values.offline_preview:
        return aws.Provider(
            name,
            region=facts.region,
            access_key=_DUMMY,
            secret_key=_DUMMY,
            skip_credentials_validation=True,
            skip_metadata_api_check=True,
            skip_region_validation=True,
            # Otherwise the provider would query the account. With this setting it cannot compare allowed accounts.
            skip_requesting_account_id=True,
            default_tags={"tags": tags(values, stack)},
        )
    return aws.Provider(
        name,
        region=facts.region,
        profile=values.aws_profile or None,
        # The SDK converts the keys of such a class, but not those of a dict, to the provider's names.
        assume_roles=[
            aws.ProviderAssumeRoleArgs(role_arn=role_arn, session_name=MANAGED_BY) for role_arn in role_arns if role_arn
        ]
        or None,
        allowed_account_ids=[facts.account_id],
        default_tags={"tags": tags(values, stack)},
    )
