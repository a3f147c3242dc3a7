"""The provider of all AWS resources. It sets region, account and tags independently of the environment."""

import pulumi_aws as aws

from settings.eks.facts import Facts
from settings.values import Values

MANAGED_BY = "pulumi"
# Neither a secret nor valid in any account. The provider requires credentials, but an offline preview signs nothing.
_DUMMY = "offline"


def tags(values: Values, stack: str) -> dict[str, str]:
    """Tags of all AWS resources: their owner and their stack."""
    return {"owner": values.owner, "stack": stack, "managed-by": MANAGED_BY}


def aws_provider(name: str, values: Values, facts: Facts, stack: str) -> aws.Provider:
    """A provider for the account of `facts`. It rejects credentials of any other account, as preflight does."""
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
        allowed_account_ids=[facts.account_id],
        default_tags={"tags": tags(values, stack)},
    )
