"""Facts about AWS that no account has to be asked for."""

STORAGE_CLASS = "observability-gp3"
"""Name of the storage class that the program creates on EKS."""


def partition(region: str) -> str:
    """The part of AWS that a region belongs to."""
    return {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(region.rsplit("-", 2)[0], "aws")
