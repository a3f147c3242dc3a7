"""The certificate of the load balancer: an existing one, or a new one that records in the zone validate."""

from collections.abc import Mapping
from typing import TypedDict

import pulumi
import pulumi_aws as aws

from settings.pages import Page

_TTL = 300
"""Seconds. ACM reads the records at each renewal, and they never change."""


class CertificateArgs(TypedDict):
    """Arguments of Certificate."""

    hosts: Mapping[Page, str]
    """App -> host. The certificate contains each host by name, without wildcards."""
    zone_id: str
    """Route 53 hosted zone of the hosts. It must be public, because ACM queries public DNS."""
    zone_provider: aws.Provider
    """Provider of the zone's account. The certificate itself is created by the component's provider."""
    certificate_arn: str
    """An existing certificate that covers the hosts; empty to create one."""


class Certificate(pulumi.ComponentResource):
    """A certificate that a load balancer can use."""

    arn: pulumi.Output[str]
    """Known once the certificate is issued."""

    def __init__(self, name: str, args: CertificateArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:Certificate", name, {}, opts)
        existing = args["certificate_arn"]
        self.arn = pulumi.Output.from_input(existing) if existing else _issued(name, args, self)
        self.register_outputs({"arn": self.arn})


def _issued(name: str, args: CertificateArgs, parent: pulumi.Resource) -> pulumi.Output[str]:
    child = pulumi.ResourceOptions(parent=parent)
    # The shortest host comes first, because the first name may have at most 64 characters. Sorting also ensures that
    # the order of the hosts does not change the certificate.
    first, *others = sorted(args["hosts"].values(), key=lambda host: (len(host), host))
    certificate = aws.acm.Certificate(
        f"{name}-certificate",
        domain_name=first,
        subject_alternative_names=others,
        validation_method="DNS",
        opts=child,
    )
    records = [
        _validation(f"{name}-{app}-validation", certificate, host, args, parent) for app, host in args["hosts"].items()
    ]
    validation = aws.acm.CertificateValidation(
        f"{name}-validation",
        certificate_arn=certificate.arn,
        validation_record_fqdns=[record.fqdn for record in records],
        opts=child,
    )
    return validation.certificate_arn


def _validation(
    name: str, certificate: aws.acm.Certificate, host: str, args: CertificateArgs, parent: pulumi.Resource
) -> aws.route53.Record:
    # AWS returns the records in any order.
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
        # All certificates of an account for the same host share a record, so an existing record has the same value.
        allow_overwrite=True,
        # For the same reason it stays in the zone without this stack: ACM renews a certificate only while its record
        # exists.
        opts=pulumi.ResourceOptions(parent=parent, provider=args["zone_provider"], retain_on_delete=True),
    )
