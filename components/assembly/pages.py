"""Creates the way to the stack's pages: ingresses where the cloud has no load balancer, else the gate behind it."""

from collections.abc import Sequence

import pulumi

from components.eks.gate.page_gate import PageGate
from components.kubernetes.ingress import ClusterIngress
from components.kubernetes.workload import peers
from settings.pages import PAGES, Page
from settings.stack import Settings
from settings.values import Values


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


def page_gate(settings: Settings, namespace: pulumi.Output[str], opts: pulumi.ResourceOptions) -> PageGate | None:
    """The gate of the pages that know no groups; None if no groups are set."""
    values = settings.values
    if not values.gated_pages:
        return None
    return PageGate(
        "page-gate",
        {
            "namespace": namespace,
            "targets": {page: _replicas(page, values, namespace) for page in values.gated_pages},
            "user_info": values.oidc_user_info_endpoint,
            "viewers": values.viewer_groups,
            "editors": values.editor_groups,
        },
        opts,
    )


def _replicas(page: Page, values: Values, namespace: pulumi.Output[str]) -> pulumi.Output[list[str]]:
    """host:port of each replica of a page's app; of its Service, if the replicas share a store."""
    replicas = {"prometheus": values.prometheus_replicas, "alertmanager": values.alertmanager_replicas}
    app = PAGES[page]
    if page in replicas:
        return peers(app.name, replicas[page], namespace, app.port)
    return pulumi.Output.format("{0}.{1}.svc:{2}", app.name, namespace, app.port).apply(lambda service: [service])
