"""The load balancer in front of the platform's pages: a host for each, TLS, login, and network access to the pods.

Grafana, Prometheus, Alertmanager and Jaeger share one Application Load Balancer. Grafana has its own login, because its
API must also accept the program's logins, and the load balancer's login is for browsers only. The others have no login,
so the load balancer requires one, and sends their requests to the page gate if groups decide about them. Loki gets no
host: its API is for programs in the cluster, and people read logs in Grafana.

The controller (the AWS Load Balancer Controller, or Auto Mode's own) must exist. Each Ingress waits up to ten minutes
for its address, and its deletion completes only when the controller has deleted the load balancer.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NotRequired, TypedDict

import pulumi
import pulumi_kubernetes as k8s
from pulumi_kubernetes.networking.v1 import HTTPIngressPathArgsDict, IngressBackendArgsDict
from pulumi_kubernetes.networking.v1.outputs import IngressStatus

from components.eks import ingress_annotations
from components.eks.gate import page_gate
from components.eks.gate.page_gate import PageGate
from components.eks.login import Login, redirects
from components.kubernetes import network_policies
from components.kubernetes.labels import labels
from settings.pages import Page

_APP = "ingress"


class IngressArgs(TypedDict):
    """Arguments of Ingress."""

    namespace: pulumi.Input[str]
    """An existing namespace, which contains the apps' Services."""
    hosts: Mapping[Page, str]
    """App -> host."""
    ports: Mapping[Page, int]
    """App -> port of its Service and of its pods."""
    gate: NotRequired[PageGate | None]
    """Gate of the apps that know no groups. None, or absent, if no groups decide."""
    scheme: Literal["internal", "internet-facing"]
    ingress_class: str
    """Name of the ingress class. This component creates it in Auto Mode; otherwise it must exist."""
    auto_mode: bool
    """Whether the cluster runs in EKS Auto Mode."""
    certificate_arn: pulumi.Input[str]
    login: Login
    """Login for all hosts except Grafana's."""
    subnet_ids: Sequence[str]
    """The load balancer's subnets; if empty, its controller finds them by their tags."""
    allowed_cidrs: Sequence[str]
    """CIDRs that may connect to the load balancer; at least one."""
    load_balancer_cidrs: Sequence[str]
    """CIDRs of the load balancer's own subnets; at least one."""
    protect: bool
    """Whether Pulumi, the controller and AWS refuse to delete the load balancer or one of its hosts."""
    annotations: Mapping[str, str]
    """Further annotations of every Ingress."""
    attributes: Mapping[str, str]
    """Further attributes of the load balancer."""
    tags: Mapping[str, str]
    """Tags of the load balancer, without commas. Not applied in Auto Mode, see ingress_annotations."""


class Ingress(pulumi.ComponentResource):
    """The load balancer, its hosts, and its network access to the pods."""

    hostname: pulumi.Output[str]
    """Host name that AWS gives the load balancer."""
    urls: dict[str, str]
    """App -> URL for people."""
    redirects: list[str]
    """Redirect URLs to register for the client at the issuer."""

    def __init__(self, name: str, args: IngressArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:Ingress", name, {}, opts)
        self.urls = {app: f"https://{host}" for app, host in args["hosts"].items()}
        self.redirects = redirects(args["hosts"])
        gate = args.get("gate")
        needed: list[pulumi.Resource] = [args["login"], *([gate] if gate else [])]
        if args["auto_mode"]:
            needed.append(_auto_mode_class(name, args, self))
        needed += [_network_access(f"{name}-{app}-network", app, args, self) for app in args["hosts"]]
        # The controller refuses to delete an Ingress of a protected load balancer, but that appears only after ten
        # minutes.
        child = pulumi.ResourceOptions(parent=self, depends_on=needed, protect=args["protect"])
        ingresses = [_ingress(f"{name}-{app}", app, args, child) for app in args["hosts"]]
        # They share a load balancer, so each Ingress has its address.
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
            "rules": [{"host": args["hosts"][app], "http": {"paths": _paths(app, *_backend(app, args))}}],
        },
        opts=opts,
    )


def _annotations(app: Page, args: IngressArgs) -> dict[str, pulumi.Input[str]]:
    login = ingress_annotations.LOGS_IN_ITSELF if app == "grafana" else args["login"].annotations
    return {
        **args["annotations"],
        **ingress_annotations.common(args["allowed_cidrs"]),
        **ingress_annotations.target(app, page_gate.HEALTH if _backend(app, args)[0] == page_gate.APP else ""),
        **login,
        **({} if args["auto_mode"] else _load_balancer(args)),
    }


def _load_balancer(args: IngressArgs) -> dict[str, pulumi.Input[str]]:
    return ingress_annotations.load_balancer(
        scheme=args["scheme"],
        group=args["namespace"],
        certificate_arn=args["certificate_arn"],
        subnet_ids=args["subnet_ids"],
        attributes=_attributes(args),
        tags=args["tags"],
    )


def _attributes(args: IngressArgs) -> dict[str, str]:
    return ingress_annotations.attributes(protect=args["protect"], more=args["attributes"])


def _backend(app: Page, args: IngressArgs) -> tuple[str, int]:
    """Name and port of the Service to which the load balancer sends an app's requests."""
    gate = args.get("gate")
    return (page_gate.APP, gate.ports[app]) if gate and app in gate.ports else (app, args["ports"][app])


def _paths(app: Page, service: str, port: int) -> list[HTTPIngressPathArgsDict]:
    paths: list[HTTPIngressPathArgsDict] = [
        {"path": "/", "path_type": "Prefix", "backend": {"service": {"name": service, "port": {"number": port}}}}
    ]
    if app == "grafana":
        # The action has the Service's name, because Pulumi waits until a Service of each named backend exists.
        action: IngressBackendArgsDict = {"service": {"name": app, "port": {"name": "use-annotation"}}}
        paths.insert(0, {"path": "/metrics", "path_type": "Prefix", "backend": action})
    return paths


def _auto_mode_class(name: str, args: IngressArgs, parent: pulumi.Resource) -> pulumi.Resource:
    """The class of Auto Mode's controller, with the parameters that the controller reads only from a class."""
    parameters = k8s.apiextensions.CustomResource(
        f"{name}-class-params",
        api_version="eks.amazonaws.com/v1",
        kind="IngressClassParams",
        metadata={"name": args["ingress_class"], "labels": labels(_APP)},
        spec=ingress_annotations.class_parameters(
            scheme=args["scheme"],
            namespace=args["namespace"],
            certificate_arn=args["certificate_arn"],
            subnet_ids=args["subnet_ids"],
            attributes=_attributes(args),
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


def _network_access(name: str, app: Page, args: IngressArgs, parent: pulumi.Resource) -> pulumi.Resource:
    """Allows traffic from the load balancer, which connects to pods directly, to the app's pods or their gate's."""
    service, port = _backend(app, args)
    return network_policies.app_network(
        name,
        {
            "app": service,
            "name": f"{app}-load-balancer",
            "namespace": args["namespace"],
            "ingress": [
                {
                    "from_": network_policies.addresses(*args["load_balancer_cidrs"]),
                    "ports": network_policies.tcp(port),
                }
            ],
        },
        pulumi.ResourceOptions(parent=parent),
    )


def _address(status: IngressStatus | None) -> str:
    """The load balancer's host name. Raises RunError if there is none, for example with `pulumi.com/skipAwait`."""
    addresses = status.load_balancer.ingress if status and status.load_balancer else None
    if not addresses or not addresses[0].hostname:
        raise pulumi.RunError("The load balancer has no address; `kubectl describe ingress` shows the reason.")
    return addresses[0].hostname
