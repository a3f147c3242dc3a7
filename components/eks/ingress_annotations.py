"""What the load balancer's controller is told, and where: annotations of an Ingress, or parameters of its class. Pure.

Facts are from the guide of the AWS Load Balancer Controller (docs/guide/ingress/annotations.md, August 2026) and from
the EKS user guide ("Create an IngressClass to configure an Application Load Balancer"), which says what Auto Mode, a
fork of the controller, does otherwise: it refuses `group.name` as an annotation, calls the certificates
`certificateARNs`, and its parameters are of another API group. What both understand as an annotation stays one.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from settings.eks.values import Page

_PREFIX = "alb.ingress.kubernetes.io"
# TLS 1.3 and 1.2 with forward secrecy and authenticated ciphers only; the default of an ALB still offers TLS 1.0.
_TLS = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"
_HEALTH: Mapping[Page, str] = {
    "grafana": "/api/health",
    "prometheus": "/-/ready",
    "alertmanager": "/-/ready",
    # Its health is told on another port, which the load balancer has no way to.
    "jaeger": "/",
}
_DROPS_BAD_HEADERS = "routing.http.drop_invalid_header_fields.enabled"
_PROTECTED = "deletion_protection.enabled"
_NOT_FOUND = {
    "type": "fixed-response",
    "fixedResponseConfig": {"contentType": "text/plain", "statusCode": "404", "messageBody": "not found"},
}

LOGS_IN_ITSELF = {
    f"{_PREFIX}/auth-type": "none",
    # Grafana tells its metrics to everybody. Prometheus reads them inside the cluster.
    f"{_PREFIX}/actions.grafana": json.dumps(_NOT_FOUND, sort_keys=True),
}
"""Annotations of Grafana's Ingress; its path /metrics is to use the action `grafana`."""


def common(allowed_cidrs: Sequence[str]) -> dict[str, str]:
    """Of every Ingress. Ingresses that share a load balancer must agree on them, or it is not changed any more."""
    return {
        f"{_PREFIX}/listen-ports": json.dumps([{"HTTP": 80}, {"HTTPS": 443}]),
        f"{_PREFIX}/ssl-redirect": "443",
        f"{_PREFIX}/ssl-policy": _TLS,
        f"{_PREFIX}/inbound-cidrs": ",".join(allowed_cidrs),
    }


def target(app: Page) -> dict[str, str]:
    """Of the Ingress of one app: how its pods are reached and known to be well."""
    return {
        # The Services are ClusterIP and have no port on the nodes.
        f"{_PREFIX}/target-type": "ip",
        f"{_PREFIX}/healthcheck-path": _HEALTH[app],
        # Two Prometheus scrape at different moments; a page that is read from both shows graphs that jump.
        f"{_PREFIX}/target-group-attributes": "stickiness.enabled=true,stickiness.type=lb_cookie",
    }


def load_balancer(
    *,
    scheme: str,
    group: pulumi.Input[str],
    certificate_arn: pulumi.Input[str],
    protect: bool,
    tags: Mapping[str, str],
) -> dict[str, pulumi.Input[str]]:
    """Of every Ingress where the AWS Load Balancer Controller runs: the load balancer that they share."""
    return {
        f"{_PREFIX}/scheme": scheme,
        # Whoever may write Ingresses may join a group by its name, and answer for its hosts.
        f"{_PREFIX}/group.name": group,
        f"{_PREFIX}/certificate-arn": certificate_arn,
        f"{_PREFIX}/load-balancer-attributes": _pairs(_attributes(protect)),
        f"{_PREFIX}/tags": _pairs(tags),
    }


def class_parameters(
    *, scheme: str, namespace: pulumi.Input[str], certificate_arn: pulumi.Input[str], protect: bool
) -> dict[str, Any]:
    """Spec of Auto Mode's IngressClassParams, which says the same.

    Without tags: Auto Mode may set some only once the cluster's role has a further policy, and makes no load balancer
    until then (EKS user guide, "Learn about identity and access in EKS Auto Mode").
    """
    return {
        "scheme": scheme,
        # Nobody else's Ingress can join.
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "group": {"name": namespace},
        "certificateARNs": [certificate_arn],
        "loadBalancerAttributes": [{"key": key, "value": value} for key, value in _attributes(protect).items()],
    }


def _attributes(protect: bool) -> dict[str, str]:
    # Said in both cases: what is left out stays as it was, so protection would never go.
    return {_PROTECTED: str(protect).lower(), _DROPS_BAD_HEADERS: "true"}


def _pairs(values: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in values.items())
