"""OpenID Connect login at the load balancer: the client's Secret, and the controller's permission to read it.

The load balancer redirects the browser to the issuer, and calls the token and user info endpoints itself. An internal
load balancer needs a route to them, such as a NAT gateway. The issuer must have the entry of each host in `redirects`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.rbac.v1 import SubjectArgsDict

from components.grafana import server
from components.grafana.server_config import SCOPES, SESSION_HOURS
from components.kubernetes.labels import labels
from settings.pages import Page

SECRET = "oidc-client"  # noqa: S105 (a Secret's name)
_APP = "login"
_ANNOTATION = "alb.ingress.kubernetes.io/auth"
# The controller's chart installs it under this name. Since 2.4.1 it has no permission to read Secrets
# (kubernetes-sigs/aws-load-balancer-controller, docs/examples/secrets_access.md, read August 2026).
_CONTROLLER: SubjectArgsDict = {
    "kind": "ServiceAccount",
    "name": "aws-load-balancer-controller",
    "namespace": "kube-system",
}
# Auto Mode's controllers run outside the cluster and belong to this group in it. All members of the group may read this
# one Secret (EKS user guide, "Grant the EKS Auto Mode load balancer controller access to a specific Secret"; older
# editions state that OIDC is not supported).
_AUTO_MODE: SubjectArgsDict = {"kind": "Group", "name": "eks:managed", "api_group": "rbac.authorization.k8s.io"}


@dataclass(frozen=True, kw_only=True)
class Oidc:
    """An OpenID Connect issuer: https URLs from its discovery document."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    user_info_endpoint: str


class LoginArgs(TypedDict):
    """Arguments of Login."""

    namespace: pulumi.Input[str]
    """The existing namespace of the Ingresses."""
    oidc: Oidc
    client_id: pulumi.Input[str]
    client_secret: pulumi.Input[str]
    """Stored only in a Secret."""
    auto_mode: bool
    """Whether the cluster runs in EKS Auto Mode, whose controller has a different identity."""


class Login(pulumi.ComponentResource):
    """The resources and annotations with which an Ingress admits only people who log in at the issuer."""

    annotations: Mapping[str, str]
    """Annotations of an Ingress with login. The Ingress must be created after the login and deleted before it."""

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
                    # The controller watches the Secret to apply a changed client secret to the load balancer.
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
    """Annotations of an Ingress that requires login at the issuer."""
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
        # The page gate asks for the groups with the access token, and issuers give them as they do for Grafana.
        f"{_ANNOTATION}-scope": SCOPES,
        f"{_ANNOTATION}-session-timeout": str(SESSION_HOURS * 3600),
    }


def redirects(hosts: Mapping[Page, str]) -> list[str]:
    """The redirect URLs to register for the client at the issuer. `hosts` maps app to host."""
    paths = {app: "login/generic_oauth" if app == server.APP else "oauth2/idpresponse" for app in hosts}
    return [f"https://{host}/{paths[app]}" for app, host in hosts.items()]
