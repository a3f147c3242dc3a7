"""What AWS says of the stack's account before the first resource, and the same without AWS for an offline preview."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from settings.eks.aws import partition
from settings.eks.secret_references import Reference
from settings.values import Values

OFFLINE_SERVER = "https://offline.invalid"
"""Address that leads nowhere (RFC 2606): an offline preview names it, and nothing may ever answer there."""


@dataclass(frozen=True, kw_only=True)
class ClusterFacts:
    """An EKS cluster that exists."""

    arn: str
    endpoint: str
    certificate_authority: str
    """Base64, as in a kubeconfig."""
    version: str
    security_group_id: str
    """The group that EKS gives to control plane and nodes."""
    vpc_id: str
    auto_mode: bool
    volume_role_arns: Sequence[str]
    """Roles, none of them the program's, by which its volumes come to be; those that can be found out."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The account, and the cluster where one exists."""

    account_id: str
    partition: str
    """aws, aws-cn or aws-us-gov."""
    region: str
    cluster: ClusterFacts | None
    """None when the program makes it."""


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What was asked before the first resource, and each problem as one line."""

    facts: Facts | None = None
    secrets: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """Config key -> the value that its reference leads to."""
    problems: Sequence[str] = ()


class Check(Protocol):
    """Asks AWS about values, and for the references among the secrets (by config key)."""

    def __call__(self, values: Values, references: Mapping[str, Reference], stack: str) -> Findings:
        """`stack` is the name that everything of this stack is tagged with."""
        ...


def offline(values: Values, references: Mapping[str, Reference], stack: str = "") -> Findings:
    """Asks nothing. The cluster is made up of the settings; references stay unread."""
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
        auto_mode=values.eks_auto_mode,
        volume_role_arns=(f"arn:{part}:iam::{account}:role/offline",) if values.eks_auto_mode else (),
    )
    existing = cluster if values.cluster == "existing" else None
    return Findings(facts=Facts(account_id=account, partition=part, region=region, cluster=existing))
