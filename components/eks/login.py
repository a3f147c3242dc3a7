"""Login at the load balancer by OpenID Connect: the client's Secret, and the right of the controller to read it.

The load balancer itself sends the browser to the issuer, and asks the token and user info endpoints on its own; an
internal one needs a way to them, such as a NAT gateway. Every host needs its entry of `redirects` at the issuer.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.rbac.v1 import SubjectArgsDict

from components.grafana import server
from components.grafana.server_config import SESSION_HOURS
from components.kubernetes.labels import labels
from settings.eks.values import Page

SECRET = "oidc-client"  # noqa: S105 (a Secret's name)
_APP = "login"
_ANNOTATION = "alb.ingress.kubernetes.io/auth"
# Installed by its chart under this name, and without a right to read Secrets since 2.4.1
# (kubernetes-sigs/aws-load-balancer-controller, docs/examples/secrets_access.md, read August 2026).
_CONTROLLER: SubjectArgsDict = {
    "kind": "ServiceAccount",
    "name": "aws-load-balancer-controller",
    "namespace": "kube-system",
}
# Auto Mode's controllers run outside the cluster and are known in it as this group. Whoever is in it reads this one
# Secret (EKS user guide, "Grant the EKS Auto Mode load balancer controller access to a specific Secret"; older
# editions say that OIDC is not supported).
_AUTO_MODE: SubjectArgsDict = {"kind": "Group", "name": "eks:managed", "api_group": "rbac.authorization.k8s.io"}


@dataclass(frozen=True, kw_only=True)
class Oidc:
    """An OpenID Connect issuer, as its discovery document describes it; https URLs."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    user_info_endpoint: str


class LoginArgs(TypedDict):
    """Arguments of Login."""

    namespace: pulumi.Input[str]
    """Of the Ingresses; exists already."""
    oidc: Oidc
    client_id: pulumi.Input[str]
    client_secret: pulumi.Input[str]
    """Kept in a Secret only."""
    auto_mode: bool
    """Whether the cluster runs in EKS Auto Mode, whose controller has another identity."""


class Login(pulumi.ComponentResource):
    """What an Ingress needs so that only people of the issuer get through."""

    annotations: Mapping[str, str]
    """Of such an Ingress; it must be created after the login and deleted before it."""

    def __init__(self, name: str, args: LoginArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:Login", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        namespace = args["namespace"]
        self.annotations = annotations(args["oidc"])
        k8s.core.v1.Secret(
            f"{name}-client",
            metadata={"name": SECRET, "namespace": namespace, "labels": labels(_APP)},
            type="Opaque",
            string_data=pulumi.Output.secret({"clientID": args["client_id"], "clientSecret": args["client_secret"]}),
            opts=child,
        )
        role = k8s.rbac.v1.Role(
            f"{name}-reader",
            metadata={"name": f"{SECRET}-reader", "namespace": namespace, "labels": labels(_APP)},
            rules=[
                {
                    "api_groups": [""],
                    "resources": ["secrets"],
                    "resource_names": [SECRET],
                    # A changed client secret reaches the load balancer because its controller watches.
                    "verbs": ["get", "list", "watch"],
                }
            ],
            opts=child,
        )
        k8s.rbac.v1.RoleBinding(
            f"{name}-reader-binding",
            metadata={"name": f"{SECRET}-reader", "namespace": namespace, "labels": labels(_APP)},
            role_ref={"api_group": "rbac.authorization.k8s.io", "kind": "Role", "name": f"{SECRET}-reader"},
            subjects=[_AUTO_MODE if args["auto_mode"] else _CONTROLLER],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[role]),
        )
        self.register_outputs({"annotations": self.annotations})


def annotations(oidc: Oidc) -> dict[str, str]:
    """Annotations of an Ingress whose visitors must log in at the issuer."""
    idp = {
        "issuer": oidc.issuer,
        "authorizationEndpoint": oidc.authorization_endpoint,
        "tokenEndpoint": oidc.token_endpoint,
        "userInfoEndpoint": oidc.user_info_endpoint,
        "secretName": SECRET,
    }
    return {
        f"{_ANNOTATION}-type": "oidc",
        f"{_ANNOTATION}-idp-oidc": json.dumps(idp, sort_keys=True),
        f"{_ANNOTATION}-on-unauthenticated-request": "authenticate",
        # Who somebody is counts; the applications behind it read no further claims.
        f"{_ANNOTATION}-scope": "openid",
        f"{_ANNOTATION}-session-timeout": str(SESSION_HOURS * 3600),
    }


def redirects(hosts: Mapping[Page, str]) -> list[str]:
    """The redirect URLs that the client must have at the issuer; `hosts` is app -> host."""
    paths = {app: "login/generic_oauth" if app == server.APP else "oauth2/idpresponse" for app in hosts}
    return [f"https://{host}/{paths[app]}" for app, host in hosts.items()]
