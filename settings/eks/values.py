"""The plain values of a stack on EKS: the keys and the values that each allows.

An empty text, list or object means "not set". settings/eks/conflicts.py checks for conflicts between keys.
"""

import re
from functools import partial
from ipaddress import IPv6Network, ip_network
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from settings.eks import addons, gp3, load_balancer
from settings.pages import PageValues
from settings.quantities import Quantity, at_least
from settings.types import HTTPS, PORT, BucketName, OptionalHttpsUrl, allowed, quantity

# Python reads masks, zones and IPv4 within IPv6, too, which Kubernetes and AWS refuse.
_CIDR = re.compile(r"[0-9A-Fa-f.:]+/(0|[1-9][0-9]{0,2})")


def _cidr(text: str) -> str:
    network = ip_network(text)  # raises ValueError, also for an address with host bits set
    if not _CIDR.fullmatch(text) or (isinstance(network, IPv6Network) and network.network_address.ipv4_mapped):
        raise ValueError(text)
    return text


Cidr = Annotated[str, AfterValidator(_cidr)]
SubnetId = Annotated[str, Field(pattern=r"^subnet-[0-9a-f]{8,17}$")]
_ROLE_ARN = r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+"
RoleArn = Annotated[str, Field(pattern=f"^{_ROLE_ARN}$")]
OptionalRoleArn = Annotated[str, Field(pattern=f"^({_ROLE_ARN})?$")]
SecurityGroupId = Annotated[str, Field(pattern=r"^sg-[0-9a-f]{8,17}$")]
ZoneId = Annotated[str, Field(pattern=r"^(Z[A-Z0-9]{1,31})?$")]
_LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_CIDRS = "a list of address ranges such as 10.0.0.0/16"


_OWN_TAGS = ("owner", "stack", "managed-by")


def _tags(tags: dict[str, str]) -> dict[str, str]:
    for key, value in tags.items():
        # The annotation that hands the tags to the load balancer's controller separates them by commas.
        wrong = key.lower().startswith("aws:") or key in _OWN_TAGS or re.search("[,=]", key) or "," in value
        if wrong or not 1 <= len(key) <= 128 or len(value) > 256:
            raise ValueError(key)
    return tags


def _attributes(attributes: dict[str, str]) -> dict[str, str]:
    for key, value in attributes.items():
        # The annotation that hands the attributes to the controller separates them by commas.
        if not re.fullmatch(r"[a-z0-9_.]+", key) or key in load_balancer.ATTRIBUTES or not re.fullmatch("[^,]+", value):
            raise ValueError(key)
    return attributes


def _arn(service: str, resource: str) -> Any:  # noqa: ANN401  (metadata of Annotated has no type)
    return Field(pattern=rf"^(arn:aws[a-z-]*:{service}:[a-z0-9-]+:\d{{12}}:{resource}[\w-]+)?$")


_RATE = "only when cloud is eks and storageClass is not set"
_SEARCH_TYPE = r"[a-z0-9]+\.[a-z0-9]+\.search"


class EksValues(PageValues):
    """The keys that apply only when cloud is eks."""

    owner: Annotated[str, Field(pattern=r"^([A-Za-z0-9][\w .:/=+@-]{0,127})?$")] = allowed(
        "the owner of the stack, such as team-platform; up to 128 letters, digits, blanks and any of _.:/=+-@; "
        "required when cloud is eks"
    )
    aws_account_id: Annotated[str, Field(pattern=r"^(\d{12})?$")] = allowed(
        "the 12 digits of an AWS account; required when cloud is eks"
    )
    aws_profile: Annotated[str, Field(pattern=r"^\S*$")] = allowed("a profile's name without blanks")
    aws_role_arn: OptionalRoleArn = allowed("the ARN of an IAM role in awsAccountId")
    extra_tags: Annotated[dict[str, str], AfterValidator(_tags)] = allowed(
        "an object: tag -> value, without commas; tags other than owner, stack, managed-by and those of AWS (aws:…)"
    )
    permissions_boundary_arn: Annotated[str, Field(pattern=r"^(arn:aws[a-z-]*:iam::(\d{12}|aws):policy/\S+)?$")] = (
        allowed("the ARN of an IAM policy")
    )
    role_path: Annotated[str, Field(pattern=r"^/([\w+=,.@-]+/)*$")] = allowed(
        "a path that begins and ends with `/`, such as /platform/"
    )
    aws_name_prefix: Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9_-]{0,99})?$")] = allowed(
        "up to 100 letters, digits, `-` and `_`"
    )
    oidc_provider_arn: Annotated[
        str, Field(pattern=r"^(arn:aws[a-z-]*:iam::\d{12}:oidc-provider/oidc\.eks\.[a-z0-9.-]+/id/[A-Z0-9]+)?$")
    ] = allowed("the ARN of the cluster's OIDC provider in IAM, in awsAccountId; only when cluster is existing")
    offline_preview: bool = allowed("true or false")

    cluster: Literal["existing", "create"] = allowed("existing or create")
    cluster_subnet_ids: tuple[SubnetId, ...] = allowed(
        "a list of subnets' ids; at least two when cluster is create or opensearchDomain is true, and only then"
    )
    cluster_version: Annotated[str, Field(pattern=r"^\d\.\d{1,3}$")] = allowed("a version of Kubernetes such as 1.34")
    cluster_admin_role_arns: tuple[RoleArn, ...] = allowed(
        "a list of IAM roles' ARNs; at least one when cluster is create, and only then"
    )
    cluster_api_cidrs: tuple[Cidr, ...] = allowed(
        f"{_CIDRS}; when cluster is create, at least one of clusterApiCidrs, clusterApiSecurityGroupIds and "
        "clusterPublicAccessCidrs, and only then"
    )
    cluster_api_security_group_ids: tuple[SecurityGroupId, ...] = allowed(
        "a list of security groups' ids; only when cluster is create"
    )
    cluster_public_access_cidrs: tuple[Cidr, ...] = allowed(f"{_CIDRS}; only when cluster is create")
    cluster_support: Literal["standard", "extended"] = allowed("standard or extended")
    eks_auto_mode: bool = allowed("true or false; true when cluster is create, which makes a cluster in Auto Mode")
    eks_addons: dict[str, Any] = allowed(f"an object: add-on -> {addons.ALLOWED}")

    kms_key_arn: Annotated[str, _arn("kms", "key/")] = allowed(
        "the ARN of a key (no alias) in awsRegion and awsAccountId"
    )
    volume_role_arns: tuple[RoleArn, ...] = allowed(
        "a list of IAM roles' ARNs; only when cluster is existing and kmsKeyArn is not set"
    )
    volume_iops: Annotated[int, Field(ge=0, le=gp3.MOST_IOPS), AfterValidator(partial(gp3.rate, gp3.BASE_IOPS))] = (
        allowed(
            f"0 (AWS' baseline of {gp3.BASE_IOPS}), or a whole number from {gp3.BASE_IOPS} to {gp3.MOST_IOPS}, at most "
            f"500 for each GiB of the stack's smallest volume; {_RATE}"
        )
    )
    volume_throughput: Annotated[
        int, Field(ge=0, le=gp3.MOST_THROUGHPUT), AfterValidator(partial(gp3.rate, gp3.BASE_THROUGHPUT))
    ] = allowed(
        f"0 (AWS' baseline of {gp3.BASE_THROUGHPUT}), or whole MiB/s from {gp3.BASE_THROUGHPUT} to "
        f"{gp3.MOST_THROUGHPUT}, at most a quarter of volumeIops; {_RATE}"
    )
    manage_loki_bucket: bool = allowed("true or false")
    loki_bucket_key_arn: Annotated[str, _arn("kms", "key/")] = allowed(
        "the ARN of a key (no alias) in awsRegion; only when manageLokiBucket is false and logs are in S3 on AWS"
    )
    loki_ruler_bucket: BucketName = allowed(
        "an S3 bucket's name, other than lokiBucket; only when lokiBucket is made by the program"
    )
    managed_prometheus: bool = allowed("true or false; true only without remoteWriteUrl, which is the workspace's URL")
    managed_prometheus_retention: Annotated[str, Field(pattern=r"^(\d{1,3}|10[0-8]\d|109[0-5])d$")] = allowed(
        "whole days, from 1d to 1095d"
    )
    remote_write_role_arn: OptionalRoleArn = allowed(
        "the ARN of an IAM role, in any account; only when remoteWriteUrl is a workspace on AWS and oidcProviderArn is "
        "not set"
    )
    opensearch_domain: bool = allowed(
        "true or false; true only when jaegerStorageBackend is opensearch or logIndex is true, and opensearchUrl is "
        "not set"
    )
    opensearch_instance_type: Annotated[str, Field(pattern=f"^{_SEARCH_TYPE}$")] = allowed(
        "an instance type of OpenSearch such as m7g.large.search"
    )
    opensearch_master_type: Annotated[str, Field(pattern=f"^({_SEARCH_TYPE})?$")] = allowed(
        "an instance type of OpenSearch such as m7g.large.search; only when opensearchDomain is true"
    )
    opensearch_instances: Annotated[int, Field(ge=1, le=80)] = allowed(
        "a whole number from 1 to 80; 1, or a multiple of 2 or 3, with one of clusterSubnetIds for each of its zones"
    )
    opensearch_storage: Annotated[Quantity, at_least("10Gi")] = quantity("100Gi", least="10Gi")
    opensearch_client_security_group_ids: tuple[SecurityGroupId, ...] = allowed(
        "a list of security groups' ids; only when opensearchDomain is true"
    )
    opensearch_client_cidrs: tuple[Cidr, ...] = allowed(f"{_CIDRS}; only when opensearchDomain is true")

    proxy_url: Annotated[str, Field(pattern=rf"^(https?://[A-Za-z0-9.-]+:{PORT})?$")] = allowed(
        "http://HOST:PORT or https://HOST:PORT without a login; only with podCidrs, because the way to pods is direct"
    )
    no_proxy: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]+(/\d{1,2})?$")], ...] = allowed(
        "a list of hosts, of domains that begin with a dot, and of address ranges; only when proxyUrl is set"
    )
    ca_bundle: Annotated[
        str, Field(pattern=r"^(\s*-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*)*$")
    ] = allowed("certificates in PEM, one after the other")
    hosted_zone_id: ZoneId = allowed(
        "a Route 53 hosted zone's id such as Z0123456789ABCDEFGHIJ; required when ingress is not none, and only then"
    )
    certificate_arn: Annotated[str, _arn("acm", "certificate/")] = allowed(
        "the ARN of a certificate in awsRegion and awsAccountId; only when ingress is not none"
    )
    hosted_zone_role_arn: OptionalRoleArn = allowed(
        "the ARN of an IAM role, in any account; only when ingress is not none"
    )
    certificate_zone_id: ZoneId = allowed(
        "a public Route 53 hosted zone's id; only without certificateArn, and when ingress is not none"
    )
    ingress_allowed_cidrs: tuple[Cidr, ...] = allowed(f"{_CIDRS}; at least one when ingress is not none, and only then")
    load_balancer_cidrs: tuple[Cidr, ...] = allowed(
        f"{_CIDRS}, those of the load balancer's subnets; at least one when ingress is not none, and only then"
    )
    load_balancer_attributes: Annotated[dict[str, str], AfterValidator(_attributes)] = allowed(
        "an object: attribute -> text without commas, none that the program sets (deletion_protection.enabled, "
        "routing.http.drop_invalid_header_fields.enabled); only when ingress is not none"
    )
    load_balancer_subnet_ids: tuple[SubnetId, ...] = allowed(
        "a list of subnets' ids, within loadBalancerCidrs and in at least two zones; only when ingress is not none"
    )
    oidc_issuer: OptionalHttpsUrl = allowed(f"{HTTPS}; required when ingress is not none, and only then")
