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
    app: str, port: int, namespace: pulumi.Output[str], url: pulumi.Output[str], external_url: str = ""
) -> Endpoint:
    """The endpoint of one Service; without an external address it is the port that the command opens."""
    return {
        "url": url,
        "external_url": external_url or f"http://localhost:{port}",
        "open": pulumi.Output.format("kubectl -n {0} port-forward svc/{1} {2}:{2}", namespace, app, port),
    }
