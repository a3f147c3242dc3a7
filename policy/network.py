"""Rules for the network: the internet reaches the stack only through the ingress, in TLS."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_network
from typing import Any, cast

from policy.resource import UNKNOWN, Resource, Rule, StackRule, at, elements, is_true

_ALB = "alb.ingress.kubernetes.io/"
# Wider ranges of public addresses belong to no single organization.
_WIDEST = {4: 8, 6: 29}
_INTERNAL = {
    "service.beta.kubernetes.io/aws-load-balancer-scheme": "internal",
    "service.beta.kubernetes.io/aws-load-balancer-internal": "true",
}
# Security policies of load balancers that accept only TLS 1.2 or later.
_MODERN = re.compile(r"^ELBSecurityPolicy-(TLS13-1-[23](?!\d)|TLS-1-2)|^ELBSecurityPolicy-FS-1-2")
_LOGINS = ("oidc", "cognito", UNKNOWN)
_SECURITY_GROUP = "aws:ec2/securityGroup:SecurityGroup"
_INGRESS_RULES = {
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
    "aws:ec2/securityGroupRule:SecurityGroupRule",
}
_CIDR_KEYS = ("cidrIpv4", "cidrIpv6", "cidrBlocks", "ipv6CidrBlocks")


def _service(resource: Resource) -> Iterator[str]:
    if resource.type != "kubernetes:core/v1:Service":
        return
    kind = at(resource.props, "spec", "type")
    annotations = at(resource.props, "metadata", "annotations")
    internal = any(at(annotations, key) == value for key, value in _INTERNAL.items())
    if kind == "NodePort" or (kind == "LoadBalancer" and not internal):
        yield f"type is {kind}; allowed: ClusterIP, behind the ingress"
    if elements(at(resource.props, "spec", "externalIPs")):
        yield "externalIPs are set; allowed: none"


def _open_ranges(source: Any) -> list[str]:  # noqa: ANN401 (inputs have no static type)
    ranges = (part for key in _CIDR_KEYS for part in elements(at(source, key)))
    return sorted(part for part in ranges if _wide(part))


def _wide(cidr: Any) -> bool:  # noqa: ANN401 (inputs have no static type)
    """Whether a range holds so many public addresses that it protects nothing, such as 0.0.0.0/1."""
    try:
        network = ip_network(str(cidr), strict=False)
    except ValueError:
        return False
    return network.prefixlen < _WIDEST[network.version] and not network.is_private


def _reachable(resource: Resource) -> Iterator[str]:
    props = resource.props
    if resource.type == _SECURITY_GROUP:
        for number, rule in enumerate(elements(props.get("ingress"))):
            yield from (f"ingress[{number}] is open to {part}" for part in _open_ranges(rule))
    if resource.type in _INGRESS_RULES and props.get("type", "ingress") == "ingress":
        yield from (f"open to {part}" for part in _open_ranges(props))
    if resource.type == "aws:opensearch/domain:Domain" and not props.get("vpcOptions"):
        yield "vpcOptions is not set, so the domain has a public address"
    if resource.type == "aws:opensearch/domain:Domain" and not is_true(at(props, "advancedSecurityOptions", "enabled")):
        yield "advancedSecurityOptions.enabled is not true, so that everybody in the network may do everything"
    if resource.type == "aws:eks/cluster:Cluster":
        yield from _cluster_endpoint(at(props, "vpcConfig"))


def _cluster_endpoint(network: Any) -> Iterator[str]:  # noqa: ANN401 (inputs have no static type)
    if network is UNKNOWN or at(network, "endpointPublicAccess") in (False, UNKNOWN):
        return
    ranges = at(network, "publicAccessCidrs")
    if ranges is not UNKNOWN and (not ranges or any(_wide(part) for part in elements(ranges))):
        yield "the API server is open to everyone; allowed: endpointPublicAccess false, or publicAccessCidrs"


def _listener(resource: Resource) -> Iterator[str]:
    if resource.type != "aws:lb/listener:Listener":
        return
    redirects = {at(action, "type") for action in elements(resource.props.get("defaultActions"))} == {"redirect"}
    if resource.props.get("protocol") not in ("HTTPS", "TLS", UNKNOWN) and not redirects:
        yield f"protocol is {resource.props.get('protocol')}; allowed: HTTPS, TLS, or a redirect to them"


def _ingress(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    shared = [resource for resource in resources if resource.kind == "IngressClassParams"]
    for resource in resources:
        if resource.kubernetes and resource.kind == "Ingress":
            annotations = at(resource.props, "metadata", "annotations")
            if annotations is UNKNOWN:
                continue
            by_aws = bool(shared) or any(str(key).startswith(_ALB) for key in annotations or {})
            problems = _unencrypted(annotations or {}, shared) if by_aws else _hosts_without_certificate(resource.props)
            for problem in problems:
                yield resource, problem


def _hosts_without_certificate(props: Mapping[str, Any]) -> Iterator[str]:
    """Hosts for which the ingress controller has no certificate of ours, and so serves without TLS or with its own."""
    encrypted = {host for entry in elements(at(props, "spec", "tls")) for host in elements(at(entry, "hosts"))}
    for host in (at(rule, "host") for rule in elements(at(props, "spec", "rules"))):
        if host is not UNKNOWN and host not in encrypted:
            yield f"host {host} is in no entry of tls"


def _unencrypted(annotations: Mapping[str, Any], shared: Sequence[Resource]) -> Iterator[str]:
    """Reasons why an ingress is not TLS only. EKS Auto Mode reads certificate and policy from the class parameters."""
    certificate = annotations.get(f"{_ALB}certificate-arn") or _class_parameter(shared, "certificateARNs")
    policy = annotations.get(f"{_ALB}ssl-policy") or _class_parameter(shared, "sslPolicy")
    if not certificate:
        yield "no certificate"
    if policy is not UNKNOWN and not _MODERN.search(str(policy)):
        yield f"ssl-policy is {policy}; allowed: one that accepts only TLS 1.2 or later"
    listening = annotations.get(f"{_ALB}listen-ports")
    if listening is UNKNOWN:
        return
    protocols = {protocol for entry in _ports(listening) for protocol in entry}
    if "HTTPS" not in protocols:
        yield f"listen-ports is {listening}; allowed: HTTPS, with HTTP only as a redirect to it"
    if "HTTP" in protocols and not annotations.get(f"{_ALB}ssl-redirect"):
        yield "HTTP is served; allowed: a redirect (ssl-redirect)"


def _login(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    shared = [resource for resource in resources if resource.kind == "IngressClassParams"]
    for resource in resources:
        annotations = at(resource.props, "metadata", "annotations") if resource.kubernetes else None
        if resource.kind != "Ingress" or not annotations or annotations is UNKNOWN:
            continue
        scheme = annotations.get(f"{_ALB}scheme") or _class_parameter(shared, "scheme") or "internal"
        allowed = annotations.get(f"{_ALB}inbound-cidrs") or "0.0.0.0/0"
        wide = allowed is not UNKNOWN and any(_wide(part.strip()) for part in str(allowed).split(","))
        if scheme == "internet-facing" and wide and annotations.get(f"{_ALB}auth-type") not in _LOGINS:
            yield resource, f"open to {allowed} without login; allowed: auth-type oidc or cognito, or inbound-cidrs"


def _class_parameter(shared: Sequence[Resource], key: str) -> Any:  # noqa: ANN401 (inputs have no static type)
    return next((value for params in shared if (value := at(params.props, "spec", key))), None)


def _ports(listening: str | None) -> list[dict[str, int]]:
    try:
        return cast(list[dict[str, int]], json.loads(listening or "[]"))
    except ValueError:
        return []


RULES = (
    Rule(name="service-not-public", description="No Service is reachable from outside the cluster.", check=_service),
    Rule(name="network-not-public", description="No address is open to the whole internet.", check=_reachable),
    Rule(name="listener-tls", description="A load balancer serves TLS only.", check=_listener),
)
STACK_RULES = (
    StackRule(name="ingress-tls", description="Traffic from outside uses TLS 1.2 or later.", check=_ingress),
    StackRule(name="ingress-login", description="A page on the internet wants a login.", check=_login),
)
