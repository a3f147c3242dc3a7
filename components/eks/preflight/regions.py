"""Preflight checks of the region: whether it has the services that the settings switch on.

botocore's list answers, because it needs no right in the account. A region that is newer than the list is not refused.
"""

from collections.abc import Iterator

from components.eks.preflight.account import Questions
from settings.eks.aws import partition

_SERVICES = {"managed_prometheus": "amp", "opensearch_domain": "opensearch", "xray": "xray"}
"""Setting -> botocore's name of the service."""
_EVERYWHERE = "ec2"


def regions(ask: Questions) -> Iterator[str]:
    """Settings whose service the region does not have. Each problem is a line that starts with a key."""
    values, region = ask.values, ask.values.aws_region
    part = partition(region)
    if region not in ask.session.get_available_regions(_EVERYWHERE, partition_name=part):
        return
    for field, service in _SERVICES.items():
        having = ask.session.get_available_regions(service, partition_name=part)
        if getattr(values, field) and region not in having:
            key = type(values).model_fields[field].alias or field
            yield (
                f"{key}: true is not allowed: {region} has no such service; allowed: false, or in this partition "
                f"({part}) one of: {', '.join(having) or 'none'}"
            )
