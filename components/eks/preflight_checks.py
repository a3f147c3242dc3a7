"""What preflight asks AWS: each function about one thing, its problems as lines that start with a key."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from components import cluster_check, versions
from components.eks import addons, misfits
from components.eks.facts import ClusterFacts
from components.eks.secret_references import told
from components.setting_values import Values

if TYPE_CHECKING:
    from mypy_boto3_eks import EKSClient
    from mypy_boto3_eks.type_defs import ClusterTypeDef
    from mypy_boto3_s3 import S3Client

_STACK = "stack"
"""Tag of everything that the program makes."""


@dataclass(frozen=True, kw_only=True)
class Questions:
    """Whom to ask, how patiently, and about what."""

    session: boto3.session.Session
    patience: Config
    values: Values
    stack: str


def cluster(ask: Questions) -> tuple[ClusterFacts | None, list[str]]:
    """The cluster, None where it is still to be made or unusable; and its problems, those of its add-ons, too."""
    values = ask.values
    client = ask.session.client("eks", config=ask.patience)
    try:
        found = client.describe_cluster(name=values.cluster_name)["cluster"]
    except client.exceptions.ResourceNotFoundException:
        return None, [] if values.cluster == "create" else [_no_cluster(client, values)]
    except (ClientError, BotoCoreError) as error:
        return None, [_unanswered("clusterName", values.cluster_name, error)]
    problems = list(_cluster_problems(found, ask))
    if problems:
        return None, problems
    network = found.get("resourcesVpcConfig", {})
    return ClusterFacts(
        arn=found.get("arn", ""),
        endpoint=found.get("endpoint", ""),
        certificate_authority=found.get("certificateAuthority", {}).get("data", ""),
        version=found.get("version", ""),
        security_group_id=network.get("clusterSecurityGroupId", ""),
        vpc_id=network.get("vpcId", ""),
        auto_mode=_auto_mode(found),
    ), list(_addon_problems(client, ask))


def others(ask: Questions) -> list[str]:
    """Problems of all that the stack names besides its cluster."""
    problems: list[str] = []
    for question in (_key, _zone, _certificate, _workspace, _buckets):
        problems += question(ask)
    return problems


def _no_cluster(client: "EKSClient", values: Values) -> str:
    try:
        there = ", ".join(sorted(client.list_clusters()["clusters"])) or "none"
    except (ClientError, BotoCoreError):
        there = "not known"
    return (
        f"clusterName: {json.dumps(values.cluster_name)} is no EKS cluster in {values.aws_region} of account "
        f"{values.aws_account_id}; there are: {there}; `cluster: create` makes it"
    )


def _cluster_problems(found: "ClusterTypeDef", ask: Questions) -> Iterator[str]:
    values, shown = ask.values, f"clusterName: {json.dumps(ask.values.cluster_name)}"
    status, version = found.get("status", ""), found.get("version", "")
    if values.cluster == "create" and found.get("tags", {}).get(_STACK) != ask.stack:
        yield f'cluster: "create" is not allowed: {values.cluster_name} exists, and is not of stack {ask.stack}'
    if status != "ACTIVE":
        yield f"{shown} is {status}; allowed: a cluster that is ACTIVE"
    if not cluster_check.supported(*version.partition(".")[::2]):
        low, below = (".".join(map(str, bound)) for bound in (versions.KUBERNETES_MIN, versions.KUBERNETES_BELOW))
        yield f"{shown} runs Kubernetes {version}; allowed: {low} <= version < {below}"
    if _auto_mode(found) != values.eks_auto_mode:
        is_so = "in Auto Mode" if _auto_mode(found) else "not in Auto Mode"
        yield f"eksAutoMode: {json.dumps(values.eks_auto_mode)} is not allowed: {values.cluster_name} is {is_so}"


def _auto_mode(found: "ClusterTypeDef") -> bool:
    return found.get("computeConfig", {}).get("enabled", False)


def _addon_problems(client: "EKSClient", ask: Questions) -> Iterator[str]:
    """Add-ons to install that somebody else has installed; to take one over would throw their configuration away."""
    values = ask.values
    modes = addons.modes(values.eks_addons, auto_mode=values.eks_auto_mode)
    for name in (addon for addon, mode in modes.items() if mode == "managed"):
        try:
            tags = client.describe_addon(clusterName=values.cluster_name, addonName=name)["addon"].get("tags", {})
        except client.exceptions.ResourceNotFoundException:
            continue
        except (ClientError, BotoCoreError) as error:
            yield _unanswered(f"eksAddons.{name}", "managed", error)
            continue
        if tags.get(_STACK) != ask.stack:
            delete = f"aws eks delete-addon --cluster-name {values.cluster_name} --addon-name {name}"
            yield (
                f'eksAddons.{name}: "managed" is not allowed: it is installed already, and not by stack {ask.stack}; '
                f"allowed: existing, or managed after: {delete}"
            )


def _key(ask: Questions) -> Iterator[str]:
    arn = ask.values.kms_key_arn
    if not arn:
        return
    try:
        key = ask.session.client("kms", config=ask.patience).describe_key(KeyId=arn)["KeyMetadata"]
    except (ClientError, BotoCoreError) as error:
        yield _unanswered("kmsKeyArn", arn, error)
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
        yield _unanswered("hostedZoneId", values.hosted_zone_id, error)
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
        yield _unanswered("certificateArn", arn, error)
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
    workspace = misfits.workspace(url)
    if not workspace:
        return
    try:
        found = ask.session.client("amp", config=ask.patience).describe_workspace(workspaceId=workspace)["workspace"]
    except (ClientError, BotoCoreError) as error:
        yield _unanswered("remoteWriteUrl", url, error)
        return
    if (status := found["status"]["statusCode"]) not in ("ACTIVE", "UPDATING"):
        yield f"remoteWriteUrl: {json.dumps(url)} is of a workspace that is {status}; allowed: one that is ACTIVE"


def _buckets(ask: Questions) -> Iterator[str]:
    values = ask.values
    if not misfits.logs_in_aws(values):
        return
    client = ask.session.client("s3", config=ask.patience)
    made = misfits.makes_loki_bucket(values)
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
    return next((tag["Value"] for tag in tags if tag["Key"] == _STACK), None)


def _unanswered(key: str, value: str, error: Exception) -> str:
    said = told(error) if isinstance(error, ClientError) else " ".join(str(error).split())
    return f"{key}: {json.dumps(value)} cannot be found: {said}"
