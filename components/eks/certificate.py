"""The certificate of the load balancer: one that exists, or one that is made and validated by records in the zone."""

from collections.abc import Mapping
from typing import TypedDict

import pulumi
import pulumi_aws as aws

from settings.eks.values import Page

_TTL = 300
"""Seconds; ACM reads the records again at each renewal, and they never change."""


class CertificateArgs(TypedDict):
    """Arguments of Certificate."""

    hosts: Mapping[Page, str]
    """App -> host; each stands in the certificate by its own name, none by a wildcard."""
    zone_id: str
    """Route 53 hosted zone of the hosts, a public one: ACM asks the internet's DNS."""
    certificate_arn: str
    """One that exists and covers the hosts; empty to make it."""


class Certificate(pulumi.ComponentResource):
    """A certificate that a load balancer can use."""

    arn: pulumi.Output[str]
    """Known once it is issued."""

    def __init__(self, name: str, args: CertificateArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:Certificate", name, {}, opts)
        given = args["certificate_arn"]
        self.arn = pulumi.Output.from_input(given) if given else _issued(name, args, self)
        self.register_outputs({"arn": self.arn})


def _issued(name: str, args: CertificateArgs, parent: pulumi.Resource) -> pulumi.Output[str]:
    child = pulumi.ResourceOptions(parent=parent)
    # The shortest comes first, because the first may have 64 characters at most. Another order of the hosts makes no
    # other certificate.
    first, *others = sorted(args["hosts"].values(), key=lambda host: (len(host), host))
    certificate = aws.acm.Certificate(
        f"{name}-certificate",
        domain_name=first,
        subject_alternative_names=others,
        validation_method="DNS",
        opts=child,
    )
    records = [
        _validation(f"{name}-{app}-validation", certificate, host, args, child) for app, host in args["hosts"].items()
    ]
    validation = aws.acm.CertificateValidation(
        f"{name}-validation",
        certificate_arn=certificate.arn,
        validation_record_fqdns=[record.fqdn for record in records],
        opts=child,
    )
    return validation.certificate_arn


def _validation(
    name: str, certificate: aws.acm.Certificate, host: str, args: CertificateArgs, opts: pulumi.ResourceOptions
) -> aws.route53.Record:
    # AWS gives the records in any order.
    option = certificate.domain_validation_options.apply(
        lambda options: next(option for option in options if option.domain_name == host)
    )
    return aws.route53.Record(
        name,
        zone_id=args["zone_id"],
        name=option.resource_record_name,
        type=option.resource_record_type,
        records=[option.resource_record_value],
        ttl=_TTL,
        # An account's certificates of one host share one record, so one that exists says the same.
        allow_overwrite=True,
        opts=opts,
    )
