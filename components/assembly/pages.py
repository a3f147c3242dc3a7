"""Creates the way from outside the cluster to the stack's pages, where the cloud has no load balancer of its own."""

from collections.abc import Sequence

import pulumi

from components.kubernetes.ingress import ClusterIngress
from settings.pages import PAGES
from settings.stack import Settings


def ingress(
    settings: Settings, namespace: pulumi.Output[str], opts: pulumi.ResourceOptions
) -> Sequence[pulumi.Resource]:
    """Creates an ingress for each page. Returns the resources that pages need outside."""
    values = settings.values
    if values.ingress == "none":
        return []
    pages = ClusterIngress(
        "pages",
        {
            "namespace": namespace,
            "hosts": values.hosts,
            "ports": {page: PAGES[page].port for page in values.hosts},
            "ingress_class": values.ingress_class,
            "annotations": values.ingress_annotations,
            "login_annotations": values.login_annotations,
            "protect": values.protect,
        },
        opts,
    )
    return [pages]
