"""What AWS permits for a volume of the type gp3.

Limits: Amazon EC2 API reference, "CreateVolume" and "ModifyVolume", parameters Iops and Throughput. Ratios: Amazon EBS
user guide, "General Purpose SSD volumes".
"""

BASE_IOPS, MOST_IOPS = 3_000, 80_000
"""The price of every volume includes the first, whatever its size."""
BASE_THROUGHPUT, MOST_THROUGHPUT = 125, 2_000
"""MiB/s. The price of every volume includes the first."""
_IOPS_PER_GIB = 500
_IOPS_PER_MIB_PER_SECOND = 4


def most_iops(gib: int) -> int:
    """The most that a volume of this size may have."""
    return min(max(BASE_IOPS, gib * _IOPS_PER_GIB), MOST_IOPS)


def most_throughput(iops: int) -> int:
    """The most, in MiB/s, that a volume with these IOPS may have."""
    return min(iops // _IOPS_PER_MIB_PER_SECOND, MOST_THROUGHPUT)


def rate(least: int, number: int) -> int:
    """The number. Raises ValueError if it is below the least; 0 stands for AWS' baseline."""
    if 0 < number < least:
        raise ValueError(number)
    return number
