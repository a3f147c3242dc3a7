"""Common parts of Grafana's content: the provider, and the order of content and server in a stack.

Creation: each resource depends on the workload itself, because children do not inherit dependencies from components.
Deletion: content is deleted before the server. `deleted_with` skips the calls if the volume, which holds all content,
is deleted as well, so that `destroy` works while Grafana is down. `retain_on_delete` would be wrong: a dashboard that
is removed from the program must be removed from Grafana, too. A new volume is empty, so replacing it replaces content.
Refresh: the official provider must reach Grafana. While it is down, use `pulumi refresh --exclude '**grafana:**'`.
"""

from collections.abc import Sequence

import pulumi
import pulumiverse_grafana as grafana

from components.grafana.server import GrafanaServer

# Number of retries and seconds between them: a minute in total. A new pod is ready slightly before a port-forward
# reaches it.
_RETRIES, _RETRY_WAIT = 10, 6
# A quarter of an hour: a new load balancer has a name minutes before it answers, and a resolver that was asked for the
# host too early remembers for up to 15 minutes that there is none (the default of a Route 53 zone).
_RETRIES_BEHIND_INGRESS = 150


def grafana_provider(
    name: str,
    url: str,
    auth: pulumi.Input[str],
    server: GrafanaServer | None = None,
    ingress: Sequence[pulumi.Resource] = (),
) -> grafana.Provider:
    """A provider for the Grafana whose API this machine reaches at `url`.

    `auth` is `user:password` or the token of a service account. With a `server` of this stack, the provider retries
    until it answers; without one, Grafana must already be running. `ingress` lists the resources that this machine
    needs to reach Grafana. Content depends on its provider, and so on them.
    """
    return grafana.Provider(
        name,
        url=url,
        auth=pulumi.Output.secret(auth),
        org_id=1,
        retries=(_RETRIES_BEHIND_INGRESS if ingress else _RETRIES) if server else 0,
        retry_wait=_RETRY_WAIT,
        opts=pulumi.ResourceOptions(depends_on=list(ingress)),
    )


def content_options(parent: pulumi.Resource, server: GrafanaServer | None) -> pulumi.ResourceOptions:
    """Options of a resource in Grafana."""
    if server is None:
        return pulumi.ResourceOptions(parent=parent)
    return pulumi.ResourceOptions(
        parent=parent, depends_on=[server.workload], deleted_with=server.volume, replace_with=[server.volume]
    )
