"""Names of the platform's pages in Route 53."""

from collections.abc import Mapping
from typing import TypedDict

import pulumi
import pulumi_aws as aws

from settings.eks.values import Page

_TTL = 60
"""Seconds that a new load balancer is unknown to who has asked for the old one."""


class DnsRecordsArgs(TypedDict):
    """Arguments of DnsRecords."""

    zone_id: str
    """Route 53 hosted zone of the hosts."""
    hosts: Mapping[Page, str]
    """App -> host."""
    target: pulumi.Input[str]
    """Host name of the load balancer."""


class DnsRecords(pulumi.ComponentResource):
    """A record for each host that leads to the load balancer; a name that exists already is an error."""

    names: list[str]
    """The hosts."""

    def __init__(self, name: str, args: DnsRecordsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:DnsRecords", name, {}, opts)
        self.names = list(args["hosts"].values())
        for app, host in args["hosts"].items():
            aws.route53.Record(
                f"{name}-{app}",
                zone_id=args["zone_id"],
                name=host,
                # Not an alias: that needs the load balancer's own zone, which only a question to AWS tells, and
                # previews without credentials ask nothing. A host is never the top of a zone, where no CNAME may be.
                type="CNAME",
                records=[args["target"]],
                ttl=_TTL,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({"names": self.names})
