"""The one load balancer in front of the platform's pages: a host for each, TLS, login, and the way to the pods.

Grafana, Prometheus, Alertmanager and Jaeger share one Application Load Balancer. Grafana logs people in itself, because
its API also takes the program's own logins, and a load balancer's login is for browsers only. The others have no login
of their own, so the load balancer asks. Loki has no page: its API is for machines, which are in the cluster, and people
read logs in Grafana; so it gets no host.

The controller (the AWS Load Balancer Controller, or Auto Mode's own) must be there: each Ingress waits until it has its
address, ten minutes at most, and is gone only when the controller has taken the load balancer away.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.networking.v1 import HTTPIngressPathArgsDict, IngressBackendArgsDict
from pulumi_kubernetes.networking.v1.outputs import IngressStatus

from components.eks import ingress_annotations
from components.eks.login import Login, redirects
from components.kubernetes import network_policies
from components.kubernetes.labels import labels
from settings.eks.values import Page

_APP = "ingress"


class IngressArgs(TypedDict):
    """Arguments of Ingress."""

    namespace: pulumi.Input[str]
    """Where the apps' Services are; exists already."""
    hosts: Mapping[Page, str]
    """App -> host."""
    ports: Mapping[Page, int]
    """App -> port of its Service, on which its pods listen, too."""
    scheme: Literal["internal", "internet-facing"]
    ingress_class: str
    """In Auto Mode it is made here, else it exists."""
    auto_mode: bool
    """Whether the cluster runs in EKS Auto Mode."""
    certificate_arn: pulumi.Input[str]
    login: Login
    """Of all hosts but Grafana's."""
    allowed_cidrs: Sequence[str]
    """Addresses that the load balancer listens to; at least one."""
    load_balancer_cidrs: Sequence[str]
    """Addresses that it has itself, which are those of its subnets; at least one."""
    protect: bool
    """Whether Pulumi, the controller and AWS refuse to delete it, or one of its hosts."""
    tags: Mapping[str, str]
    """Of the load balancer; without commas. Left out in Auto Mode, see ingress_annotations."""


class Ingress(pulumi.ComponentResource):
    """The load balancer, its hosts, and the way from it to the pods."""

    hostname: pulumi.Output[str]
    """Of the load balancer, as AWS names it."""
    urls: dict[str, str]
    """App -> address for people."""
    redirects: list[str]
    """Redirect URLs that the client must have at the issuer."""

    def __init__(self, name: str, args: IngressArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:Ingress", name, {}, opts)
        self.urls = {app: f"https://{host}" for app, host in args["hosts"].items()}
        self.redirects = redirects(args["hosts"])
        needed: list[pulumi.Resource] = [args["login"]]
        if args["auto_mode"]:
            needed.append(_auto_mode_class(name, args, self))
        needed += [_way_in(f"{name}-{app}-network", app, args, self) for app in args["hosts"]]
        # The controller refuses to delete an Ingress of a protected load balancer, which shows after ten minutes.
        child = pulumi.ResourceOptions(parent=self, depends_on=needed, protect=args["protect"])
        ingresses = [_ingress(f"{name}-{app}", app, args, child) for app in args["hosts"]]
        # They share one load balancer, so every one of them has its address.
        self.hostname = ingresses[0].status.apply(_address)
        self.register_outputs({"hostname": self.hostname, "urls": self.urls, "redirects": self.redirects})


def _ingress(name: str, app: Page, args: IngressArgs, opts: pulumi.ResourceOptions) -> k8s.networking.v1.Ingress:
    return k8s.networking.v1.Ingress(
        name,
        metadata={
            "name": app,
            "namespace": args["namespace"],
            "labels": labels(app),
            "annotations": _annotations(app, args),
        },
        spec={
            "ingress_class_name": args["ingress_class"],
            "rules": [{"host": args["hosts"][app], "http": {"paths": _paths(app, args["ports"][app])}}],
        },
        opts=opts,
    )


def _annotations(app: Page, args: IngressArgs) -> dict[str, pulumi.Input[str]]:
    login = ingress_annotations.LOGS_IN_ITSELF if app == "grafana" else args["login"].annotations
    return {
        **ingress_annotations.common(args["allowed_cidrs"]),
        **ingress_annotations.target(app),
        **login,
        **({} if args["auto_mode"] else _load_balancer(args)),
    }


def _load_balancer(args: IngressArgs) -> dict[str, pulumi.Input[str]]:
    return ingress_annotations.load_balancer(
        scheme=args["scheme"],
        group=args["namespace"],
        certificate_arn=args["certificate_arn"],
        protect=args["protect"],
        tags=args["tags"],
    )


def _paths(app: Page, port: int) -> list[HTTPIngressPathArgsDict]:
    paths: list[HTTPIngressPathArgsDict] = [
        {"path": "/", "path_type": "Prefix", "backend": {"service": {"name": app, "port": {"number": port}}}}
    ]
    if app == "grafana":
        # The action of the Service's own name: the wait for the Ingress looks for a Service of every name.
        action: IngressBackendArgsDict = {"service": {"name": app, "port": {"name": "use-annotation"}}}
        paths.insert(0, {"path": "/metrics", "path_type": "Prefix", "backend": action})
    return paths


def _auto_mode_class(name: str, args: IngressArgs, parent: pulumi.Resource) -> pulumi.Resource:
    """Class of Auto Mode's own controller, with what that one takes from the class only."""
    parameters = k8s.apiextensions.CustomResource(
        f"{name}-class-params",
        api_version="eks.amazonaws.com/v1",
        kind="IngressClassParams",
        metadata={"name": args["ingress_class"], "labels": labels(_APP)},
        spec=ingress_annotations.class_parameters(
            scheme=args["scheme"],
            namespace=args["namespace"],
            certificate_arn=args["certificate_arn"],
            protect=args["protect"],
        ),
        opts=pulumi.ResourceOptions(parent=parent),
    )
    return k8s.networking.v1.IngressClass(
        f"{name}-class",
        metadata={"name": args["ingress_class"], "labels": labels(_APP)},
        spec={
            "controller": "eks.amazonaws.com/alb",
            "parameters": {
                "api_group": "eks.amazonaws.com",
                "kind": "IngressClassParams",
                "name": args["ingress_class"],
            },
        },
        opts=pulumi.ResourceOptions(parent=parent, depends_on=[parameters]),
    )


def _way_in(name: str, app: Page, args: IngressArgs, parent: pulumi.Resource) -> pulumi.Resource:
    """Lets the load balancer's addresses reach the app's pods; it talks to them directly."""
    return network_policies.app_network(
        name,
        {
            "app": app,
            "name": f"{app}-load-balancer",
            "namespace": args["namespace"],
            "ingress": [
                {
                    "from_": network_policies.addresses(*args["load_balancer_cidrs"]),
                    "ports": network_policies.tcp(args["ports"][app]),
                }
            ],
        },
        pulumi.ResourceOptions(parent=parent),
    )


def _address(status: IngressStatus | None) -> str:
    """Raises RunError where there is none, as behind `pulumi.com/skipAwait`."""
    found = status.load_balancer.ingress if status and status.load_balancer else None
    if not found or not found[0].hostname:
        raise pulumi.RunError("The load balancer has no address; `kubectl describe ingress` tells what it waits for.")
    return found[0].hostname
