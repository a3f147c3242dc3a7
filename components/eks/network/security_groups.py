"""Rules of security groups: who may connect by HTTPS."""

import re
from collections.abc import Mapping, Sequence

import pulumi
import pulumi_aws as aws


def https_from(
    name: str,
    group_id: pulumi.Input[str],
    description: str,
    cidrs: Sequence[str],
    groups: Mapping[str, pulumi.Input[str]],
    opts: pulumi.ResourceOptions,
) -> list[aws.vpc.SecurityGroupIngressRule]:
    """Lets these address ranges, and the members of these groups (by name), connect to port 443 of the group's members.

    Each rule has its range or the group's name in its own name.
    """

    def rule(source: str, **fields: pulumi.Input[str]) -> aws.vpc.SecurityGroupIngressRule:
        return aws.vpc.SecurityGroupIngressRule(
            f"{name}-from-{re.sub('[^a-z0-9]+', '-', source)}",
            security_group_id=group_id,
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            description=description,
            cidr_ipv4=fields.get("cidr_ipv4"),
            cidr_ipv6=fields.get("cidr_ipv6"),
            referenced_security_group_id=fields.get("group"),
            opts=opts,
        )

    return [
        *(rule(cidr, **{"cidr_ipv6" if ":" in cidr else "cidr_ipv4": cidr}) for cidr in cidrs),
        *(rule(group, group=group_id) for group, group_id in groups.items()),
    ]
