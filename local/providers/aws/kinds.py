"""Every type that the stand-in makes; a preview takes all types of the SDK."""

from local.providers.aws import (
    kinds_amp,
    kinds_eks,
    kinds_iam,
    kinds_kms,
    kinds_logs,
    kinds_network,
    kinds_s3,
    kinds_search,
)
from local.providers.aws import kinds_secrets as secrets
from local.providers.aws.kind import Kind

_MODULES = (kinds_amp, kinds_eks, kinds_iam, kinds_kms, kinds_logs, kinds_network, kinds_s3, kinds_search, secrets)
KINDS: dict[str, Kind] = {kind.token: kind for module in _MODULES for kind in module.KINDS}
"""By the type's name, as in `aws:s3/bucket:Bucket`."""
