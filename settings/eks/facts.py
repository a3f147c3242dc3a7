"""Facts about the stack's AWS account, collected before the first resource, and placeholders for offline previews."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from settings.eks.aws import partition
from settings.eks.secret_references import Reference
from settings.values import Values

OFFLINE_SERVER = "https://offline.invalid"
"""Placeholder address in offline previews. RFC 2606 reserves its domain, so that no server ever answers there."""


@dataclass(frozen=True, kw_only=True)
class ClusterFacts:
    """An existing EKS cluster."""

    arn: str
    endpoint: str
    certificate_authority: str
    """The PEM in Base64, as in a kubeconfig."""
    version: str
    security_group_id: str
    """The security group that EKS attaches to the control plane and the nodes."""
    vpc_id: str
    service_cidr: str
    """Address range of its Services."""
    addons: Collection[str] = ()
    """Names of the add-ons that EKS has installed, whoever asked for them."""
    auto_mode: bool
    volume_role_arns: Sequence[str]
    """Roles outside this program that create the cluster's volumes, as far as they can be determined."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The account, and the cluster if it exists."""

    account_id: str
    partition: str
    """aws, aws-cn or aws-us-gov."""
    region: str
    cluster: ClusterFacts | None
    """None if the program creates the cluster."""
    pod_cidrs: Sequence[str] = ()
    """Address ranges of the pods, if they are known and network policies should name them instead of pods."""


@dataclass(frozen=True, kw_only=True)
class Findings:
    """The result of the checks before the first resource; `problems` has one line for each problem."""

    facts: Facts | None = None
    secrets: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """Config key -> value of its reference."""
    problems: Sequence[str] = ()


class Check(Protocol):
    """Checks values against AWS, and reads the secrets that are references (by config key)."""

    def __call__(self, values: Values, references: Mapping[str, Reference], stack: str) -> Findings:
        """`stack` is the stack name in the tags of this stack's resources."""
        ...


def offline(values: Values, references: Mapping[str, Reference], stack: str = "") -> Findings:
    """Makes no calls. The facts about the cluster are derived from the settings; references stay unread."""
    del references, stack
    region, account = values.aws_region, values.aws_account_id
    part = partition(region)
    cluster = ClusterFacts(
        arn=f"arn:{part}:eks:{region}:{account}:cluster/{values.cluster_name}",
        endpoint=OFFLINE_SERVER,
        certificate_authority="",
        version=values.cluster_version,
        security_group_id="sg-00000000",
        vpc_id="vpc-00000000",
        service_cidr="172.20.0.0/16",
        auto_mode=values.eks_auto_mode,
        volume_role_arns=(f"arn:{part}:iam::{account}:role/offline",) if values.eks_auto_mode else (),
    )
    existing = cluster if values.cluster == "existing" else None
    return Findings(facts=Facts(account_id=account, partition=part, region=region, cluster=existing))
