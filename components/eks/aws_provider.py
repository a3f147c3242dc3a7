"""The one provider of everything in AWS: this region, this account, these tags; nothing of it from the environment."""

import pulumi_aws as aws

from settings.eks.facts import Facts
from settings.values import Values

MANAGED_BY = "pulumi"
# Neither secret nor of any account: an offline preview signs nothing, and the provider wants something to sign with.
_DUMMY = "offline"


def tags(values: Values, stack: str) -> dict[str, str]:
    """What everything in AWS carries: who answers for it, and which stack it belongs to."""
    return {"owner": values.owner, "stack": stack, "managed-by": MANAGED_BY}


def aws_provider(name: str, values: Values, facts: Facts, stack: str) -> aws.Provider:
    """Access to the account of `facts`; any other account's credentials are refused by the provider, too."""
    if values.offline_preview:
        return aws.Provider(
            name,
            region=facts.region,
            access_key=_DUMMY,
            secret_key=_DUMMY,
            skip_credentials_validation=True,
            skip_metadata_api_check=True,
            skip_region_validation=True,
            # Without this the account would be asked for; and with it none can be compared to those allowed.
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
