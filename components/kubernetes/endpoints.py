"""Where to find what the stack runs: addresses, and the commands that open them from outside."""

from typing import TypedDict

import pulumi


class Endpoint(TypedDict):
    """One endpoint, as `pulumi stack output endpoints` prints it."""

    url: pulumi.Output[str]
    """Inside the cluster."""
    external_url: str
    """Where people open it."""
    open: pulumi.Output[str]
    """Command after which it answers on this machine."""


def endpoint(
    app: str,
    port: int,
    namespace: pulumi.Output[str],
    url: pulumi.Output[str],
    external_url: str = "",
    *,
    local_port: int | None = None,
) -> Endpoint:
    """The endpoint of one Service; without an external address it is the port that the command opens.

    `local_port` is that port on this machine, where another endpoint has the Service's own.
    """
    opened = local_port or port
    return {
        "url": url,
        "external_url": external_url or f"http://localhost:{opened}",
        "open": pulumi.Output.format("kubectl -n {0} port-forward svc/{1} {2}:{3}", namespace, app, opened, port),
    }
