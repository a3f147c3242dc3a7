"""The platform's pages behind an ingress controller of the cluster: a host, TLS and a login for each.

Grafana logs people in itself, because its API must also accept the program's logins. The others have no login, so the
controller requires one. Loki gets no host, as on EKS: people read logs in Grafana.

The controller's namespace needs the labels `observability/access` and `observability/control`, which open the network
to the pages' pods.
"""

from collections.abc import Mapping
from typing import TypedDict

import pulumi
import pulumi_kubernetes as k8s

from components.kubernetes.labels import labels
from settings.pages import Page


class ClusterIngressArgs(TypedDict):
    """Arguments of ClusterIngress."""

    namespace: pulumi.Input[str]
    """An existing namespace, which contains the pages' Services."""
    hosts: Mapping[Page, str]
    """Page -> host."""
    ports: Mapping[Page, int]
    """Page -> port of its Service."""
    ingress_class: str
    """Name of an existing ingress class."""
    annotations: Mapping[str, str]
    """Annotations of every page."""
    login_annotations: Mapping[str, str]
    """Annotations of the pages that have no login of their own."""
    protect: bool
    """Whether Pulumi refuses to delete a page's ingress."""


class ClusterIngress(pulumi.ComponentResource):
    """An Ingress for each page. Each waits up to ten minutes for the address that its controller reports."""

    def __init__(self, name: str, args: ClusterIngressArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("observability:index:ClusterIngress", name, {}, opts)
        child = pulumi.ResourceOptions(parent=self, protect=args["protect"])
        for page, host in args["hosts"].items():
            login = {} if page == "grafana" else args["login_annotations"]
            k8s.networking.v1.Ingress(
                f"{name}-{page}",
                metadata={
                    "name": page,
                    "namespace": args["namespace"],
                    "labels": labels(page),
                    "annotations": {**args["annotations"], **login},
                },
                spec={
                    "ingress_class_name": args["ingress_class"],
                    "tls": [{"hosts": [host], "secret_name": f"{page}-tls"}],
                    "rules": [{"host": host, "http": {"paths": [_everything(page, args["ports"][page])]}}],
                },
                opts=child,
            )
        self.register_outputs({"urls": {page: f"https://{host}" for page, host in args["hosts"].items()}})


def _everything(page: Page, port: int) -> k8s.networking.v1.HTTPIngressPathArgsDict:
    return {"path": "/", "path_type": "Prefix", "backend": {"service": {"name": page, "port": {"number": port}}}}
