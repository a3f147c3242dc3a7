"""DNS records of the platform's pages in Route 53."""

from collections.abc import Mapping
from typing import TypedDict

import pulumi
import pulumi_aws as aws

from settings.pages import Page

_TTL = 60
"""Seconds during which resolvers may return the old load balancer after a change."""


class DnsRecordsArgs(TypedDict):
    """Arguments of DnsRecords."""

    zone_id: str
    """Route 53 hosted zone of the hosts."""
    hosts: Mapping[Page, str]
    """App -> host."""
    target: pulumi.Input[str]
    """Host name of the load balancer."""


class DnsRecords(pulumi.ComponentResource):
    """A record for each host that points to the load balancer. A record that already exists is an error."""

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
                # Not an alias, which needs the load balancer's own zone: finding that zone takes a call to AWS, and
                # offline previews make none. A CNAME is valid because a host is never the apex of its zone.
                type="CNAME",
                records=[args["target"]],
                ttl=_TTL,
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({"names": self.names})
