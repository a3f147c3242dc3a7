"""Preflight's checks of the hosted zones; moto answers for Route 53."""

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from tests.eks.account import ACCOUNT, REGION, Account, check


def test_a_zone_that_the_domain_is_not_in(account: Account) -> None:
    (line,) = check(account, domain="production.example.com").problems
    assert line == (
        f'hostedZoneId: "{account.zone_id}" is the zone of staging.example.com; allowed: a zone that '
        "contains production.example.com (domain)"
    )
    (line,) = check(account, hostedZoneId="Z0000000000000000000A").problems
    assert line.startswith('hostedZoneId: "Z0000000000000000000A" cannot be found: NoSuchHostedZone')


def private_zone(name: str = "staging.example.com") -> str:
    made = boto3.client("route53").create_hosted_zone(
        Name=name,
        CallerReference=name,
        VPC={"VPCRegion": REGION, "VPCId": "vpc-1"},
        HostedZoneConfig={"PrivateZone": True},
    )
    return made["HostedZone"]["Id"].rsplit("/", 1)[-1]


def test_a_private_zone_proves_nothing(account: Account) -> None:
    zone = private_zone()
    assert check(account, hostedZoneId=zone).problems == [
        f'hostedZoneId: "{zone}" is private, so ACM cannot validate a certificate; allowed: a public zone, a '
        "certificateZoneId that is public, or a certificateArn"
    ]
    # moto issues what is validated by mail at once.
    arn = account.acm.request_certificate(DomainName="*.staging.example.com")["CertificateArn"]
    assert not [line for line in check(account, hostedZoneId=zone, certificateArn=arn).problems if "Zone" in line]


def test_a_public_zone_proves_the_hosts_of_a_private_one(account: Account) -> None:
    zone = private_zone()
    assert check(account, hostedZoneId=zone, certificateZoneId=account.zone_id).problems == []
    assert check(account, certificateZoneId=zone).problems == [
        f'certificateZoneId: "{zone}" is private, so ACM cannot validate a certificate; allowed: a public zone'
    ]
    other = private_zone("example.org")
    assert check(account, hostedZoneId=zone, certificateZoneId=other).problems == [
        f'certificateZoneId: "{other}" is the zone of example.org; allowed: a zone that contains staging.example.com '
        "(domain)",
        f'certificateZoneId: "{other}" is private, so ACM cannot validate a certificate; allowed: a public zone',
    ]
    (line,) = check(account, hostedZoneId=zone, certificateZoneId="Z0000000000000000000A").problems
    assert line.startswith('certificateZoneId: "Z0000000000000000000A" cannot be found: NoSuchHostedZone')


def test_a_zone_of_another_account_is_read_with_its_role(account: Account) -> None:
    role = "arn:aws:iam::999999999999:role/dns"
    keys = boto3.client("sts").assume_role(RoleArn=role, RoleSessionName="owner")["Credentials"]
    there = boto3.client(
        "route53",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
    made = there.create_hosted_zone(Name="staging.example.com", CallerReference="z")["HostedZone"]["Id"]
    zone = made.rsplit("/", 1)[-1]
    (line,) = check(account, hostedZoneId=zone).problems
    assert line.startswith(f'hostedZoneId: "{zone}" cannot be found: NoSuchHostedZone')
    assert check(account, hostedZoneId=zone, hostedZoneRoleArn=role).problems == []
    zones = {"hostedZoneId": zone, "certificateZoneId": zone}
    assert check(account, hostedZoneRoleArn=role, **zones).problems == []


def test_a_role_of_the_zone_that_does_not_admit_the_program(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    role = "arn:aws:iam::999999999999:role/dns"

    send = BaseClient._make_api_call

    def refuse(client: BaseClient, operation: str, parameters: dict[str, str]) -> object:
        if operation != "AssumeRole":
            return send(client, operation, parameters)
        refusal = {"Error": {"Code": "AccessDenied", "Message": f"not authorized on {parameters['RoleArn']}"}}
        raise ClientError(refusal, operation)

    monkeypatch.setattr(BaseClient, "_make_api_call", refuse)
    assert check(account, hostedZoneRoleArn=role).problems == [
        f'hostedZoneRoleArn: "{role}" cannot be assumed: AccessDenied: not authorized on {role}'
    ]
    own = f"arn:aws:iam::{ACCOUNT}:role/deploy"
    assert check(account, awsRoleArn=own).problems == [
        f'awsRoleArn: "{own}" cannot be assumed: AccessDenied: not authorized on {own}'
    ]


def test_a_zone_whose_name_is_only_an_ending(account: Account) -> None:
    assert check(account, domain="notstaging.example.com").problems
    assert check(account, domain="deep.staging.example.com").problems == []
