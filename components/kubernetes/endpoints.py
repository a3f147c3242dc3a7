"""Endpoints of the stack's programs: addresses, and commands that open them from outside the cluster."""

from typing import TypedDict

import pulumi


class Endpoint(TypedDict):
    """An endpoint, as `pulumi stack output endpoints` prints it."""

    url: pulumi.Output[str]
    """Address inside the cluster."""
    external_url: str
    """Address that people open."""
    open: pulumi.Output[str]
    """Command that forwards a port of this machine to the endpoint."""


def endpoint(
    app: str,
    port: int,
    namespace: pulumi.Output[str],
    url: pulumi.Output[str],
    external_url: str = "",
    *,
    local_port: int | None = None,
) -> Endpoint:
    """The endpoint of a Service. Without `external_url`, people open the forwarded port.

    `local_port` is the port on this machine; defaults to the Service's port. It is needed if another endpoint uses
    that port.
    """
    forwarded = local_port or port
    return {
        "url": url,
        "external_url": external_url or f"http://localhost:{forwarded}",
        "open": pulumi.Output.format("kubectl -n {0} port-forward svc/{1} {2}:{3}", namespace, app, forwarded, port),
    }
