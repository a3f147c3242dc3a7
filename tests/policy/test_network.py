"""Policy rules on network access from outside."""

import json
from typing import Any

import pytest

from policy.resource import UNKNOWN, Resource
from tests.policy.judged import aws, judged, kubernetes

ALB = "alb.ingress.kubernetes.io/"
TLS: dict[str, Any] = {
    f"{ALB}certificate-arn": "arn:aws:acm:eu-west-1:111122223333:certificate/a",
    f"{ALB}ssl-policy": "ELBSecurityPolicy-TLS13-1-2-Res-2021-06",
    f"{ALB}listen-ports": json.dumps([{"HTTP": 80}, {"HTTPS": 443}]),
    f"{ALB}ssl-redirect": "443",
}


USERS: dict[str, Any] = {"advancedSecurityOptions": {"enabled": True}}


def ingress(**changes: Any) -> Resource:
    annotations = {key: value for key, value in {**TLS, **changes}.items() if value is not None}
    return kubernetes("networking.k8s.io/v1:Ingress", {"metadata": {"annotations": annotations}})


@pytest.mark.parametrize(
    ("spec", "problems"),
    [
        ({"type": "ClusterIP"}, []),
        ({"clusterIP": "None"}, []),
        ({"type": UNKNOWN}, []),
        ({"type": "LoadBalancer"}, ["type is LoadBalancer; allowed: ClusterIP, behind the ingress"]),
        ({"type": "NodePort"}, ["type is NodePort; allowed: ClusterIP, behind the ingress"]),
        ({"externalIPs": ["203.0.113.7"]}, ["externalIPs are set; allowed: none"]),
    ],
)
def test_services_are_not_public(spec: dict[str, Any], problems: list[str]) -> None:
    assert judged("service-not-public", kubernetes("core/v1:Service", {"spec": spec})) == problems


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({}, []),
        ({f"{ALB}certificate-arn": UNKNOWN}, []),
        ({f"{ALB}listen-ports": '[{"HTTPS": 443}]', f"{ALB}ssl-redirect": None}, []),
        ({f"{ALB}certificate-arn": None}, ["no certificate"]),
        ({f"{ALB}ssl-redirect": None}, ["HTTP is served; allowed: a redirect (ssl-redirect)"]),
        (
            {f"{ALB}listen-ports": None},
            ["listen-ports is None; allowed: HTTPS, with HTTP only as a redirect to it"],
        ),
        (
            {f"{ALB}ssl-policy": "ELBSecurityPolicy-2016-08"},
            ["ssl-policy is ELBSecurityPolicy-2016-08; allowed: one that accepts only TLS 1.2 or later"],
        ),
        (
            {f"{ALB}ssl-policy": "ELBSecurityPolicy-TLS13-1-0-2021-06"},
            ["ssl-policy is ELBSecurityPolicy-TLS13-1-0-2021-06; allowed: one that accepts only TLS 1.2 or later"],
        ),
        ({f"{ALB}ssl-policy": None}, ["ssl-policy is None; allowed: one that accepts only TLS 1.2 or later"]),
    ],
)
def test_an_ingress_serves_only_tls(changes: dict[str, Any], problems: list[str]) -> None:
    assert judged("ingress-tls", ingress(**changes)) == problems


@pytest.mark.parametrize(
    ("tls", "problems"),
    [
        ([{"hosts": ["a.example.com"], "secretName": "a-tls"}], []),
        ([{"hosts": ["b.example.com"]}], ["host a.example.com is in no entry of tls"]),
        (None, ["host a.example.com is in no entry of tls"]),
    ],
)
def test_every_host_of_an_ingress_controller_has_a_certificate(tls: Any, problems: list[str]) -> None:
    spec = {"ingressClassName": "nginx", "rules": [{"host": "a.example.com"}], "tls": tls}
    page = kubernetes("networking.k8s.io/v1:Ingress", {"spec": spec, "metadata": {"annotations": {"other": "x"}}})
    assert judged("ingress-tls", page) == problems


def test_in_auto_mode_the_certificate_is_in_the_ingress_class_parameters() -> None:
    parameters = kubernetes("eks.amazonaws.com/v1:IngressClassParams", {"spec": {"certificateARNs": [UNKNOWN]}})
    assert judged("ingress-tls", ingress(**{f"{ALB}certificate-arn": None}), parameters) == []


@pytest.mark.parametrize(
    ("listener", "fine"),
    [
        ({"protocol": "HTTPS"}, True),
        ({"protocol": "TLS"}, True),
        ({"protocol": "HTTP", "defaultActions": [{"type": "redirect"}]}, True),
        ({"protocol": "HTTP", "defaultActions": [{"type": "forward"}]}, False),
        ({"protocol": "TCP"}, False),
    ],
)
def test_listeners_use_tls(listener: dict[str, Any], fine: bool) -> None:
    assert (judged("listener-tls", aws("lb/listener:Listener", listener)) == []) is fine


@pytest.mark.parametrize(
    ("resource", "problems"),
    [
        (
            aws("ec2/securityGroup:SecurityGroup", {"ingress": [{"cidrBlocks": ["10.0.0.0/8", "0.0.0.0/0"]}]}),
            ["ingress[0] is open to 0.0.0.0/0"],
        ),
        (aws("ec2/securityGroup:SecurityGroup", {"egress": [{"cidrBlocks": ["0.0.0.0/0"]}]}), []),
        (
            aws("vpc/securityGroupIngressRule:SecurityGroupIngressRule", {"cidrIpv6": "::/0"}),
            ["open to ::/0"],
        ),
        (aws("vpc/securityGroupIngressRule:SecurityGroupIngressRule", {"cidrIpv4": "10.0.0.0/8"}), []),
        (aws("ec2/securityGroupRule:SecurityGroupRule", {"type": "egress", "cidrBlocks": ["0.0.0.0/0"]}), []),
        (
            aws("ec2/securityGroupRule:SecurityGroupRule", {"type": "ingress", "cidrBlocks": ["0.0.0.0/0"]}),
            ["open to 0.0.0.0/0"],
        ),
        (aws("opensearch/domain:Domain", {"vpcOptions": {"subnetIds": ["subnet-1"]}, **USERS}), []),
        (aws("opensearch/domain:Domain", USERS), ["vpcOptions is not set, so the domain has a public address"]),
    ],
)
def test_addresses_are_not_public(resource: Resource, problems: list[str]) -> None:
    assert judged("network-not-public", resource) == problems


@pytest.mark.parametrize(
    ("network", "fine"),
    [
        ({"endpointPublicAccess": False}, True),
        ({"endpointPublicAccess": True, "publicAccessCidrs": ["203.0.113.0/24"]}, True),
        (UNKNOWN, True),
        ({"endpointPublicAccess": True, "publicAccessCidrs": ["0.0.0.0/0"]}, False),
        # By default, EKS' endpoint is public and open to every address.
        ({"endpointPublicAccess": True}, False),
        ({}, False),
    ],
)
def test_the_api_server_is_not_public(network: Any, fine: bool) -> None:
    assert (judged("network-not-public", aws("eks/cluster:Cluster", {"vpcConfig": network})) == []) is fine
