"""Facts about AWS that can be determined without access to an account."""

from ipaddress import ip_network

STORAGE_CLASS = "observability-gp3"
"""Name of the storage class that the program creates on EKS."""


def dns_suffix(region: str) -> str:
    """DNS suffix of AWS' endpoints in this region; China has its own."""
    return "amazonaws.com.cn" if partition(region) == "aws-cn" else "amazonaws.com"


def dns_server(service_cidr: str) -> str:
    """CIDR of the cluster's DNS server: the tenth address of the range of its Services, IPv4 or IPv6.

    In Auto Mode the server runs on each node and answers under this address. No pod of it is in the cluster, so that
    no selector of pods permits requests to it.
    """
    network = ip_network(service_cidr)
    return f"{network[10]}/{network.max_prefixlen}"


def partition(region: str) -> str:
    """The AWS partition of a region: aws, aws-cn or aws-us-gov."""
    return {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(region.rsplit("-", 2)[0], "aws")
