"""What all content of Grafana has in common: the provider, and its order against the server of the same stack.

Creation: content depends on the workload, each resource by itself (children do not inherit it from their component).
Deletion: content goes first. `deleted_with` the volume spares the calls when the volume goes as well: all of the
content lives there, so `destroy` works with a Grafana that is down. `retain_on_delete` would be wrong: a dashboard
that leaves the program must leave Grafana, too. A replaced volume is an empty one, so its content is replaced with it.
Refresh: the official provider must reach Grafana; while it is down use `pulumi refresh --exclude '**grafana:**'`.
"""

from collections.abc import Sequence

import pulumi
import pulumiverse_grafana as grafana

from components.grafana.server import GrafanaServer

# Seconds, together a minute: a new pod is ready a little before a port-forward or a load balancer leads to it.
_RETRIES, _RETRY_WAIT = 10, 6


def grafana_provider(
    name: str,
    url: str,
    auth: pulumi.Input[str],
    server: GrafanaServer | None = None,
    way_in: Sequence[pulumi.Resource] = (),
) -> grafana.Provider:
    """Access to the Grafana whose API answers at `url`, as this machine reaches it.

    `auth` is `user:password` or a service account's token. With a `server` of the same stack it is waited for;
    without one the Grafana has to be there already, and is not waited for. `way_in` is what leads there from this
    machine; content, which comes after its provider, comes after it, too.
    """
    return grafana.Provider(
        name,
        url=url,
        auth=pulumi.Output.secret(auth),
        org_id=1,
        retries=_RETRIES if server else 0,
        retry_wait=_RETRY_WAIT,
        opts=pulumi.ResourceOptions(depends_on=list(way_in)),
    )


def content_options(parent: pulumi.Resource, server: GrafanaServer | None) -> pulumi.ResourceOptions:
    """Options of one resource in Grafana."""
    if server is None:
        return pulumi.ResourceOptions(parent=parent)
    return pulumi.ResourceOptions(
        parent=parent, depends_on=[server.workload], deleted_with=server.volume, replace_with=[server.volume]
    )
