"""What preflight asks AWS, the cluster aside: each function about one thing, its problems as lines with a key."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from components.eks.preflight.secrets_manager import told
from settings.eks import conflicts
from settings.values import Values

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

STACK_TAG = "stack"
"""Tag of everything that the program makes."""
_SEARCH_ROLE = "AWSServiceRoleForAmazonOpenSearchService"


@dataclass(frozen=True, kw_only=True)
class Questions:
    """Whom to ask, how patiently, and about what."""

    session: boto3.session.Session
    patience: Config
    values: Values
    stack: str


def others(ask: Questions) -> list[str]:
    """Problems of all that the stack names besides its cluster."""
    problems: list[str] = []
    for question in (_key, _zone, _certificate, _workspace, _search_role, _traces, _buckets):
        problems += question(ask)
    return problems


def _key(ask: Questions) -> Iterator[str]:
    arn = ask.values.kms_key_arn
    if not arn:
        return
    try:
        key = ask.session.client("kms", config=ask.patience).describe_key(KeyId=arn)["KeyMetadata"]
    except (ClientError, BotoCoreError) as error:
        yield unanswered("kmsKeyArn", arn, error)
        return
    if (state := key.get("KeyState", "")) != "Enabled":
        yield f"kmsKeyArn: {json.dumps(arn)} is {state}; allowed: a key that is Enabled"


def _zone(ask: Questions) -> Iterator[str]:
    values = ask.values
    if not values.hosted_zone_id:
        return
    shown = f"hostedZoneId: {json.dumps(values.hosted_zone_id)}"
    client = ask.session.client("route53", config=ask.patience)
    try:
        zone = client.get_hosted_zone(Id=values.hosted_zone_id)["HostedZone"]
    except (ClientError, BotoCoreError) as error:
        yield unanswered("hostedZoneId", values.hosted_zone_id, error)
        return
    name = zone["Name"].rstrip(".")
    if not f".{values.domain}".endswith(f".{name}"):
        yield f"{shown} is the zone of {name}; allowed: a zone that {values.domain} (domain) is in"
    if zone.get("Config", {}).get("PrivateZone") and not values.certificate_arn:
        yield f"{shown} is private, where no certificate is validated; allowed: a public zone, or a certificateArn"


def _certificate(ask: Questions) -> Iterator[str]:
    arn = ask.values.certificate_arn
    if not arn:
        return
    client = ask.session.client("acm", config=ask.patience)
    try:
        certificate = client.describe_certificate(CertificateArn=arn)["Certificate"]
    except (ClientError, BotoCoreError) as error:
        yield unanswered("certificateArn", arn, error)
        return
    shown = f"certificateArn: {json.dumps(arn)}"
    names = {certificate.get("DomainName", ""), *certificate.get("SubjectAlternativeNames", [])}
    missing = [host for host in ask.values.hosts.values() if not {host, f"*.{host.partition('.')[2]}"} & names]
    if (status := certificate.get("Status", "")) != "ISSUED":
        yield f"{shown} is {status}; allowed: a certificate that is ISSUED"
    if missing:
        yield f"{shown} does not cover {', '.join(missing)}; it covers {', '.join(sorted(names))}"


def _workspace(ask: Questions) -> Iterator[str]:
    url = ask.values.remote_write_url
    workspace = conflicts.workspace(url)
    if not workspace:
        return
    try:
        found = ask.session.client("amp", config=ask.patience).describe_workspace(workspaceId=workspace)["workspace"]
    except (ClientError, BotoCoreError) as error:
        yield unanswered("remoteWriteUrl", url, error)
        return
    if (status := found["status"]["statusCode"]) not in ("ACTIVE", "UPDATING"):
        yield f"remoteWriteUrl: {json.dumps(url)} is of a workspace that is {status}; allowed: one that is ACTIVE"


def _search_role(ask: Questions) -> Iterator[str]:
    """The account's role that lets OpenSearch into a VPC. All domains share it, so no stack makes or deletes it."""
    if not ask.values.opensearch_domain:
        return
    client = ask.session.client("iam", config=ask.patience)
    try:
        client.get_role(RoleName=_SEARCH_ROLE)
    except client.exceptions.NoSuchEntityException:
        create = "aws iam create-service-linked-role --aws-service-name opensearchservice.amazonaws.com"
        yield (
            f"opensearchDomain: true is not allowed: account {ask.values.aws_account_id} has no role {_SEARCH_ROLE}, "
            f"which lets a domain into a VPC; make it, once: {create}"
        )
    except (ClientError, BotoCoreError) as error:
        yield unanswered("opensearchDomain", _SEARCH_ROLE, error)


def _traces(ask: Questions) -> Iterator[str]:
    """X-Ray's OTLP endpoint refuses all traces (400) until the account's go to CloudWatch Logs in this region."""
    values = ask.values
    if not values.xray:
        return
    try:
        destination = ask.session.client("xray", config=ask.patience).get_trace_segment_destination()["Destination"]
    except (ClientError, BotoCoreError) as error:
        yield unanswered("xray", "true", error)
        return
    if destination != "CloudWatchLogs":
        yield (
            f"xray: true is not allowed: X-Ray of account {values.aws_account_id} in {values.aws_region} keeps traces "
            f"in {destination}, and takes none by OTLP then; allowed: true once CloudWatch's Transaction Search is on"
        )


def _buckets(ask: Questions) -> Iterator[str]:
    values = ask.values
    if not conflicts.logs_in_aws(values):
        return
    client = ask.session.client("s3", config=ask.patience)
    made = conflicts.makes_loki_bucket(values)
    for key, name in (("lokiBucket", values.loki_bucket), ("lokiRulerBucket", values.loki_ruler_bucket)):
        if name:
            yield from (f"{key}: {json.dumps(name)} {problem}" for problem in _bucket(client, name, ask, made=made))


def _bucket(client: "S3Client", name: str, ask: Questions, *, made: bool) -> Iterator[str]:
    region = ask.values.aws_region
    try:
        headers = client.head_bucket(Bucket=name)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code == "404":
            yield from () if made else (f"does not exist; allowed: a bucket in {region}, or manageLokiBucket: true",)
        elif code == "301":
            yield f"is in another region; allowed: a bucket in awsRegion {region}"
        elif code == "403":
            yield "is not ours: another account has it, or these credentials may not read it; allowed: another name"
        else:
            yield f"cannot be asked for: {told(error)}"
        return
    except BotoCoreError as error:
        yield f"cannot be asked for: {error}"
        return
    if (place := headers.get("BucketRegion", region)) != region:
        yield f"is in {place}; allowed: a bucket in awsRegion {region}"
    elif made and (owner := _stack_of(client, name)) != ask.stack:
        whose = f"of stack {owner}" if owner else "not made by this program"
        yield f"exists, and is {whose}; allowed: another name, or manageLokiBucket: false"


def _stack_of(client: "S3Client", name: str) -> str | None:
    try:
        tags = client.get_bucket_tagging(Bucket=name)["TagSet"]
    except ClientError:  # none at all is an error, too
        return None
    return next((tag["Value"] for tag in tags if tag["Key"] == STACK_TAG), None)


def unanswered(key: str, value: str, error: Exception) -> str:
    """The line for something that AWS does not tell of, whether it is not there or may not be asked for."""
    said = told(error) if isinstance(error, ClientError) else " ".join(str(error).split())
    return f"{key}: {json.dumps(value)} cannot be found: {said}"
