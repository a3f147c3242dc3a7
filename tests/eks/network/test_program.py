"""The network of the whole program on EKS: name resolution under default deny, and the way to a new cluster's API."""

import pytest

from settings.eks.aws import dns_server
from tests.eks.test_platform import CREATE, Program, below
from tests.mock_engine import Recorded


def dns_servers(recorded: Recorded) -> dict[str, set[str]]:
    """Namespace -> addresses to which its pods may send DNS requests, whatever pods there are."""
    return {
        str(policy.namespace): {
            peer["ipBlock"]["cidr"]
            for rule in policy.inputs["spec"]["egress"]
            if {port["port"] for port in rule["ports"]} == {53}
            for peer in rule["to"]
            if "ipBlock" in peer
        }
        for policy in recorded.of("NetworkPolicy")
        if policy.object_name == "default-deny"
    }


# In Auto Mode the DNS server is no pod: aws/containers-roadmap 2552.
@pytest.mark.parametrize(
    ("changes", "server"),
    [({"eksAutoMode": "true"}, "172.20.0.10/32"), (CREATE, "10.100.0.10/32"), ({}, "172.20.0.10/32")],
    ids=["Auto Mode", "create", "existing"],
)
def test_every_namespace_may_ask_the_cluster_s_dns_server_by_its_address(
    program: Program, changes: dict[str, str], server: str
) -> None:
    found = dns_servers(program("staging", simulator="true", **changes))
    assert {"observability", "observability-agent", "receiver"} <= found.keys()
    assert all(server in servers for servers in found.values()), found


@pytest.mark.parametrize(
    ("services", "server"),
    [
        ("10.100.0.0/16", "10.100.0.10/32"),
        ("172.20.0.0/16", "172.20.0.10/32"),
        ("fd30:1c53:5f8a::/108", "fd30:1c53:5f8a::a/128"),
    ],
)
def test_the_dns_server_s_address_follows_from_that_of_the_services(services: str, server: str) -> None:
    assert dns_server(services) == server


def test_a_new_cluster_s_api_is_reachable_before_anything_in_it_is_made(program: Program) -> None:
    assert "eks-api-from-10-0-0-0-8" in below(program("staging", **CREATE), "cluster")
