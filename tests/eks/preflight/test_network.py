"""What is asked about the network: the nodes' way to OpenSearch, and the load balancer's subnets."""

import json

import boto3
import pytest

from tests.eks.account import GROUP, REGION, SEARCH, Account, check


@pytest.fixture
def search(account: Account) -> Account:
    """An account in which a domain may be created."""
    boto3.client("iam").create_service_linked_role(AWSServiceName="opensearchservice.amazonaws.com")
    return account


def lines(account: Account, key: str, **changes: str) -> list[str]:
    return [line for line in check(account, **changes).problems if line.startswith(f"{key}:")]


CLIENTS = "opensearchClientSecurityGroupIds"


def test_nodes_with_groups_of_their_own_would_not_reach_the_domain(search: Account) -> None:
    own, shared = search.security_group("node"), search.security_group("shared")
    search.node(own, shared)
    (line,) = lines(search, CLIENTS, **SEARCH)
    assert line == (
        f"{CLIENTS}: [] is not allowed: the domain would admit only {GROUP}, and nodes of the cluster have other "
        f"groups; allowed: a group of each node, of: {', '.join(sorted([own, shared]))}"
    )
    assert lines(search, CLIENTS, **SEARCH, opensearchClientSecurityGroupIds=json.dumps([own])) == []
    assert lines(search, CLIENTS, **SEARCH, opensearchClientCidrs='["10.1.0.0/16"]') == []


def test_one_group_of_two_kinds_of_nodes_is_not_enough(search: Account) -> None:
    first, second = search.security_group("first"), search.security_group("second")
    search.node(first)
    search.node(second)
    (line,) = lines(search, CLIENTS, **SEARCH, opensearchClientSecurityGroupIds=json.dumps([first]))
    assert line.endswith(f"of: {second}")


def test_without_nodes_and_without_a_domain_there_is_nothing_to_say(search: Account) -> None:
    assert lines(search, CLIENTS, **SEARCH) == []
    search.node(search.security_group("node"))
    assert lines(search, CLIENTS) == []


def test_subnets_that_no_controller_would_find(account: Account) -> None:
    account.ec2.delete_tags(Resources=account.load_balancer_subnets, Tags=[{"Key": "kubernetes.io/role/internal-elb"}])
    (line,) = check(account).problems
    assert line == (
        "loadBalancerSubnetIds: [] is not allowed: no subnet of the cluster's VPC has the tag "
        "kubernetes.io/role/internal-elb, by which the controller would find the load balancer's subnets; allowed: "
        "their ids, or [] once they have the tag"
    )
    named = json.dumps(account.load_balancer_subnets)
    assert check(account, loadBalancerSubnetIds=named).problems == []


def test_a_public_load_balancer_needs_public_subnets(account: Account) -> None:
    (line,) = check(account, ingress="internet-facing").problems
    assert "has the tag kubernetes.io/role/elb, by which" in line


def test_subnets_outside_the_addresses_that_reach_the_pods(account: Account) -> None:
    (line,) = check(account, loadBalancerCidrs='["10.1.0.0/24"]').problems
    outside = account.load_balancer_subnets[1]
    assert line == (
        'loadBalancerCidrs: ["10.1.0.0/24"] is not allowed: the load balancer\'s subnets '
        f"{outside} (10.1.1.0/24) lie outside, so no pod would admit it; allowed: ranges that contain them"
    )


def test_subnets_that_do_not_exist_or_do_not_fit(account: Account) -> None:
    (line,) = check(account, loadBalancerSubnetIds='["subnet-00000000000000001"]').problems
    assert "cannot be found: InvalidSubnetID.NotFound" in line
    one = account.load_balancer_subnets[:1]
    (line,) = check(account, loadBalancerSubnetIds=json.dumps(one)).problems
    assert line.endswith("is in one zone; allowed: subnets in at least two zones")
    elsewhere = boto3.client("ec2", region_name=REGION).describe_subnets(
        Filters=[{"Name": "default-for-az", "Values": ["true"]}]
    )["Subnets"]
    named = [subnet["SubnetId"] for subnet in elsewhere]
    first, *_ = check(account, loadBalancerSubnetIds=json.dumps(named), loadBalancerCidrs='["0.0.0.0/0"]').problems
    assert f"is not in the cluster's VPC {account.vpc_id}" in first
