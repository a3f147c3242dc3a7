"""Configuration of the load balancer's controller, as annotations of an Ingress or parameters of its class. Pure.

The sources are the guide of the AWS Load Balancer Controller (docs/guide/ingress/annotations.md, August 2026) and the
EKS user guide ("Create an IngressClass to configure an Application Load Balancer"). The latter describes the
differences in Auto Mode, whose controller is a fork: it rejects the annotation `group.name`, its key for certificates
is `certificateARNs`, and its parameters belong to another API group. Settings that both accept as annotations are
annotations here.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi

from settings.eks.load_balancer import ATTRIBUTES
from settings.eks.load_balancer import PREFIX as _PREFIX
from settings.pages import Page

# TLS 1.3 and 1.2, only with forward secrecy and authenticated ciphers. The default of an ALB still offers TLS 1.0.
_TLS = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"
_HEALTH: Mapping[Page, str] = {
    "grafana": "/api/health",
    "prometheus": "/-/ready",
    "alertmanager": "/-/ready",
    # Jaeger serves its health on another port, which the load balancer cannot reach.
    "jaeger": "/",
}
_PROTECTED, _DROPS_BAD_HEADERS = ATTRIBUTES
_NOT_FOUND = {
    "type": "fixed-response",
    "fixedResponseConfig": {"contentType": "text/plain", "statusCode": "404", "messageBody": "not found"},
}

LOGS_IN_ITSELF = {
    f"{_PREFIX}/auth-type": "none",
    # Grafana serves its metrics without login. Prometheus reads them inside the cluster.
    f"{_PREFIX}/actions.grafana": json.dumps(_NOT_FOUND, sort_keys=True),
}
"""Annotations of Grafana's Ingress. Its path /metrics must use the action `grafana`."""


def common(allowed_cidrs: Sequence[str]) -> dict[str, str]:
    """Annotations of every Ingress. The controller stops updating a load balancer whose Ingresses differ in them."""
    return {
        f"{_PREFIX}/listen-ports": json.dumps([{"HTTP": 80}, {"HTTPS": 443}]),
        f"{_PREFIX}/ssl-redirect": "443",
        f"{_PREFIX}/ssl-policy": _TLS,
        f"{_PREFIX}/inbound-cidrs": ",".join(allowed_cidrs),
    }


def target(app: Page, health: str = "") -> dict[str, str]:
    """Annotations of an app's Ingress: target type, health check and stickiness of its pods.

    `health` is the path of the health check, if it is not the app itself that answers.
    """
    return {
        # The Services are of type ClusterIP and have no node ports.
        f"{_PREFIX}/target-type": "ip",
        f"{_PREFIX}/healthcheck-path": health or _HEALTH[app],
        # Replicas of Prometheus scrape at different times. Graphs would jump if a page queried both.
        f"{_PREFIX}/target-group-attributes": "stickiness.enabled=true,stickiness.type=lb_cookie",
    }


def load_balancer(
    *,
    scheme: str,
    group: pulumi.Input[str],
    certificate_arn: pulumi.Input[str],
    subnet_ids: Sequence[str],
    attributes: Mapping[str, str],
    tags: Mapping[str, str],
) -> dict[str, pulumi.Input[str]]:
    """Annotations of every Ingress for the AWS Load Balancer Controller, which configure the shared load balancer."""
    return {
        f"{_PREFIX}/scheme": scheme,
        # Anybody who may create Ingresses can join the group by its name, and serve its hosts.
        f"{_PREFIX}/group.name": group,
        f"{_PREFIX}/certificate-arn": certificate_arn,
        f"{_PREFIX}/load-balancer-attributes": _pairs(attributes),
        f"{_PREFIX}/tags": _pairs(tags),
        **({f"{_PREFIX}/subnets": ",".join(subnet_ids)} if subnet_ids else {}),
    }


def class_parameters(
    *,
    scheme: str,
    namespace: pulumi.Input[str],
    certificate_arn: pulumi.Input[str],
    subnet_ids: Sequence[str],
    attributes: Mapping[str, str],
) -> dict[str, Any]:
    """Spec of Auto Mode's IngressClassParams, with the same configuration.

    It has no tags: with tags, Auto Mode creates no load balancer until the cluster's role has a further policy (EKS
    user guide, "Learn about identity and access in EKS Auto Mode").
    """
    return {
        "scheme": scheme,
        # Ingresses in other namespaces cannot join.
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "group": {"name": namespace},
        "certificateARNs": [certificate_arn],
        **({"subnets": {"ids": list(subnet_ids)}} if subnet_ids else {}),
        "loadBalancerAttributes": [{"key": key, "value": value} for key, value in attributes.items()],
    }


def attributes(*, protect: bool, more: Mapping[str, str]) -> dict[str, str]:
    """Attributes of the load balancer: those of the program, and `more`."""
    # Set even if false: an omitted attribute keeps its value, so protection could never be disabled.
    return {_PROTECTED: str(protect).lower(), _DROPS_BAD_HEADERS: "true", **more}


def _pairs(values: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in values.items())
