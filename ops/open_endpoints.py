"""`open`: every endpoint of a stack on this machine's own ports, until interrupted."""

import socket
import threading
from contextlib import ExitStack
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ops.environment import LOCAL, load
from ops.errors import OpsError
from ops.fire_alerts import INTERRUPTED
from ops.kube import Cluster, Service, service_url


def open_endpoints(
    environment: Annotated[str, typer.Option(help="Stack, as in Pulumi.<stack>.yaml.")] = LOCAL,
    offset: Annotated[int, typer.Option(help="Added to every port, when some are in use.", min=0, max=50_000)] = 0,
) -> None:
    """Serve every endpoint on localhost until Ctrl-C. Nothing is started when one of the ports is in use."""
    stack = load(environment)
    services = stack.services()
    if not stack.has_simulator:
        services = {name: one for name, one in services.items() if name not in ("simulator", "receiver")}
    taken = [f"{one.port + offset} ({name})" for name, one in services.items() if not _free(one.port + offset)]
    if taken:
        raise OpsError(f"port in use: {', '.join(taken)}; end what uses it, or choose others: --offset 10000")
    console = Console(width=120)
    with ExitStack() as forwards:
        table = Table("endpoint", "open", box=None, pad_edge=False)
        for name, service in sorted(services.items()):
            table.add_row(name, _forward(forwards, stack.cluster(), service, service.port + offset))
        console.print(table)
        console.print("Ctrl-C ends it.")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            console.print("closed")
            raise typer.Exit(INTERRUPTED) from None


def _forward(forwards: ExitStack, cluster: Cluster, service: Service, port: int) -> str:
    return forwards.enter_context(service_url(cluster, service, port=port)).replace("127.0.0.1", "localhost")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
