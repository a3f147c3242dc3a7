"""Preflight checks of the account, except its cluster and its zones. Each problem is a line that starts with a key."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from components.eks.preflight.secrets_manager import error_text
from settings.eks import conflicts
from settings.values import Values

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

STACK_TAG = "stack"
"""Tag of all resources that the program creates."""
_SEARCH_ROLE = "AWSServiceRoleForAmazonOpenSearchService"


@dataclass(frozen=True, kw_only=True)
class Questions:
    """Inputs of the checks: session, timeouts, and the values to check."""

    session: boto3.session.Session
    patience: Config
    values: Values
    stack: str


def others(ask: Questions) -> list[str]:
    """Problems of all AWS resources that the stack refers to, except for its cluster and its zones."""
    problems: list[str] = []
    for question in (_key, _certificate, _workspace, _search_role, _traces, _buckets):
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
    # The role of another account is for pods only.
    if not workspace or ask.values.remote_write_role_arn:
        return
    client = ask.session.client("amp", region_name=workspace.region, config=ask.patience)
    try:
        answer = client.describe_workspace(workspaceId=workspace.id)
    except (ClientError, BotoCoreError) as error:
        yield unanswered("remoteWriteUrl", url, error)
        return
    if (status := answer["workspace"]["status"]["statusCode"]) not in ("ACTIVE", "UPDATING"):
        yield f"remoteWriteUrl: {json.dumps(url)} names a workspace that is {status}; allowed: one that is ACTIVE"


def _search_role(ask: Questions) -> Iterator[str]:
    """Checks for the account's role that gives OpenSearch access to a VPC. All domains share it; no stack owns it."""
    if not ask.values.opensearch_domain:
        return
    client = ask.session.client("iam", config=ask.patience)
    try:
        client.get_role(RoleName=_SEARCH_ROLE)
    except client.exceptions.NoSuchEntityException:
        create = "aws iam create-service-linked-role --aws-service-name opensearchservice.amazonaws.com"
        yield (
            f"opensearchDomain: true is not allowed: account {ask.values.aws_account_id} has no role {_SEARCH_ROLE}, "
            f"which gives a domain access to a VPC; create it once: {create}"
        )
    except (ClientError, BotoCoreError) as error:
        yield unanswered("opensearchDomain", _SEARCH_ROLE, error)


def _traces(ask: Questions) -> Iterator[str]:
    """Checks the destination of traces. X-Ray's OTLP endpoint rejects all traces (400) unless the account stores them
    in CloudWatch Logs in this region.
    """
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
            f"xray: true is not allowed: X-Ray of account {values.aws_account_id} in {values.aws_region} stores traces "
            f"in {destination} and therefore rejects OTLP; allowed: true once CloudWatch's Transaction Search is on"
        )


def _buckets(ask: Questions) -> Iterator[str]:
    values = ask.values
    if not conflicts.logs_in_aws(values):
        return
    client = ask.session.client("s3", config=ask.patience)
    creates = conflicts.makes_loki_bucket(values)
    for key, name in (("lokiBucket", values.loki_bucket), ("lokiRulerBucket", values.loki_ruler_bucket)):
        if name:
            problems = _bucket(client, name, ask, creates=creates)
            yield from (f"{key}: {json.dumps(name)} {problem}" for problem in problems)


def _bucket(client: "S3Client", name: str, ask: Questions, *, creates: bool) -> Iterator[str]:
    """Problems of a bucket that the program creates, or that must exist."""
    region = ask.values.aws_region
    try:
        headers = client.head_bucket(Bucket=name)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code == "404":
            yield from () if creates else (f"does not exist; allowed: a bucket in {region}, or manageLokiBucket: true",)
        elif code == "301":
            yield f"is in another region; allowed: a bucket in awsRegion {region}"
        elif code == "403":
            yield "is not accessible: another account owns it, or the credentials cannot read it; allowed: another name"
        else:
            yield f"cannot be checked: {error_text(error)}"
        return
    except BotoCoreError as error:
        yield f"cannot be checked: {error}"
        return
    if (actual := headers.get("BucketRegion", region)) != region:
        yield f"is in {actual}; allowed: a bucket in awsRegion {region}"
    elif not creates and (problem := _key_problem(client, name, ask.values)):
        yield problem
    elif creates and (owner := _stack_of(client, name)) != ask.stack:
        origin = f"belongs to stack {owner}" if owner else "was not created by this program"
        yield f"exists, and {origin}; allowed: another name, or manageLokiBucket: false with lokiBucketKeyArn"


def _key_problem(client: "S3Client", name: str, values: Values) -> str | None:
    """Why Loki's role could not use the key of an existing bucket; None if it could."""
    try:
        rules = client.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
    except ClientError:  # also raised if the bucket has no configuration
        return None
    chosen = [rule.get("ApplyServerSideEncryptionByDefault", {}) for rule in rules]
    keys = {one.get("KMSMasterKeyID", "") for one in chosen if "kms" in str(one.get("SSEAlgorithm"))}
    given = values.loki_bucket_key_arn or values.kms_key_arn
    # A key can be named by its id, too, which ends its ARN.
    if not keys or any(given and key and given.endswith(key.rpartition("/")[2]) for key in keys):
        return None
    return (
        f"is encrypted with {', '.join(sorted(keys))}, and Loki's role would not be permitted to use it; allowed: this "
        "key as lokiBucketKeyArn"
    )


def _stack_of(client: "S3Client", name: str) -> str | None:
    try:
        tags = client.get_bucket_tagging(Bucket=name)["TagSet"]
    except ClientError:  # also raised if there are no tags
        return None
    return next((tag["Value"] for tag in tags if tag["Key"] == STACK_TAG), None)


def unanswered(key: str, value: str, error: Exception) -> str:
    """The line for a resource that AWS does not return, because it does not exist or access is denied."""
    reason = error_text(error) if isinstance(error, ClientError) else " ".join(str(error).split())
    return f"{key}: {json.dumps(value)} cannot be found: {reason}"
