"""Facts about AWS that can be determined without access to an account."""

STORAGE_CLASS = "observability-gp3"
"""Name of the storage class that the program creates on EKS."""


def partition(region: str) -> str:
    """The AWS partition of a region: aws, aws-cn or aws-us-gov."""
    return {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(region.rsplit("-", 2)[0], "aws")
