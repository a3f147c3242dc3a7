"""Preflight checks for what an interrupted run left behind: it exists in AWS, but the stack's state does not have it.

A cluster takes a quarter of an hour and a domain more than half of one, so runs are cut off there. The next run would
ask AWS to create the same again, and fail in the middle.
"""

import json
import time
from collections.abc import Iterator

import pulumi
from botocore.exceptions import BotoCoreError, ClientError

from components.eks.policies import ClusterIdentity
from components.eks.preflight.account import STACK_TAG, Questions, unanswered
from components.eks.search_domain import domain_arn, domain_name
from settings.eks.facts import ClusterFacts

_TRIES, _PAUSE = 10, 0.2
_CLUSTER, _DOMAIN = "aws:eks/cluster:Cluster", "aws:opensearch/domain:Domain"


def interrupted(ask: Questions, cluster: ClusterFacts | None) -> list[str]:
    """Problems of a cluster (None if it does not exist) and of a domain that exist, but not in the state."""
    return [*_cluster(ask, cluster), *_domain(ask)]


def recorded(stack: str, kind: str, key: str) -> set[str]:
    """What the property `key` is of the resources of this kind (`aws:eks/cluster:Cluster`) in this stack's state."""
    answer = _state(stack)
    resources = answer["outputs"] if isinstance(answer, dict) else {}
    return {str(one["outputs"].get(key)) for one in resources.values() if one["type"] == kind}


def _state(stack: str) -> object:
    """The engine's answer. A state in a folder is half written for a moment while the engine saves it, so ask again."""
    arguments = {"stackName": stack}
    for tries_left in reversed(range(_TRIES)):
        try:
            return pulumi.runtime.invoke("pulumi:pulumi:readStackResourceOutputs", arguments).value
        except Exception as error:  # the SDK raises nothing more special
            if not tries_left:
                raise pulumi.RunError(f"the stack's state cannot be read: {error}") from error
            time.sleep(_PAUSE)
    return None


def _cluster(ask: Questions, cluster: ClusterFacts | None) -> Iterator[str]:
    name = ask.values.cluster_name
    if ask.values.cluster == "create" and cluster and name not in recorded(ask.stack, _CLUSTER, "name"):
        yield (
            f'cluster: "create" is not allowed: {name} has the tag of stack {ask.stack}, whose state does not have it, '
            "as after an interrupted run; allowed: create once it is imported: "
            f"{_import(ask, _CLUSTER, 'eks-cluster', name, 'observability:index:Cluster::eks')}"
        )


def _domain(ask: Questions) -> Iterator[str]:
    values = ask.values
    if not values.opensearch_domain:
        return
    identity = ClusterIdentity(
        values.cluster_name, values.aws_region, values.aws_account_id, names=values.aws_name_prefix
    )
    name = domain_name(identity)
    client = ask.session.client("opensearch", config=ask.patience)
    try:
        client.describe_domain(DomainName=name)
        tags = client.list_tags(ARN=domain_arn(identity))["TagList"]
    except client.exceptions.ResourceNotFoundException:
        return
    except (ClientError, BotoCoreError) as error:
        yield unanswered("opensearchDomain", name, error)
        return
    owner = next((tag["Value"] for tag in tags if tag["Key"] == STACK_TAG), None)
    if owner != ask.stack:
        origin = f"belongs to stack {owner}" if owner else "was not created by this program"
        yield (
            f"opensearchDomain: true is not allowed: the domain {name} exists, and {origin}; allowed: true with "
            "another awsNamePrefix, or opensearchUrl with opensearchDomain false"
        )
    elif name not in recorded(ask.stack, _DOMAIN, "domainName"):
        yield (
            f"opensearchDomain: true is not allowed: {name} has the tag of stack {ask.stack}, whose state does not "
            "have it, as after an interrupted run; allowed: true once it is imported: "
            f"{_import(ask, _DOMAIN, 'search-domain', name, 'observability:index:SearchDomain::search')}"
        )


def _import(ask: Questions, kind: str, resource: str, identifier: str, parent: str) -> str:
    """The command that takes a resource over. The interrupted run recorded its parent and the provider before it."""
    project = f"urn:pulumi:{ask.stack}::{pulumi.get_project()}"
    return (
        f"pulumi import {kind} {resource} {identifier} --stack {ask.stack} "
        f"--protect={json.dumps(ask.values.protect)} --parent {parent.rpartition('::')[2]}={project}::{parent} "
        f"--provider aws={project}::pulumi:providers:aws::aws"
    )
