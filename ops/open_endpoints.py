"""`open`: serves every endpoint of a stack on local ports until interrupted."""

import threading
from contextlib import ExitStack
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from local import choice
from local.ports import is_free
from ops.clients.kube import Cluster, Service, service_url
from ops.drills.faults import PROGRAMS
from ops.drills.fire_alerts import INTERRUPTED
from ops.environment import LOCAL, Environment, load
from ops.errors import OpsError
from ops.start_page.server import PORT, serve
from ops.start_page.state import Stack
from settings.apps import ALERTMANAGER, GRAFANA, JAEGER, LOKI, PROMETHEUS, SIMULATED_PORT


def open_endpoints(
    environment: Annotated[str, typer.Option(help="Stack, as in Pulumi.<stack>.yaml.")] = LOCAL,
    offset: Annotated[int, typer.Option(help="Number added to every port, if some are in use.", min=0, max=50_000)] = 0,
) -> None:
    """Serve every endpoint, and a page that links them, on localhost until Ctrl-C.

    Starts nothing when one of the ports is in use.
    """
    stack = load(environment)
    found = endpoints(stack)
    ports = {name: port for name, (_, port) in found.items()} | {"start page": PORT}
    taken = [f"{port + offset} ({name})" for name, port in ports.items() if not is_free(port + offset)]
    if taken:
        raise OpsError(f"port in use: {', '.join(taken)}; stop the program using it, or add --offset 10000")
    console = Console(width=120)
    with ExitStack() as forwards:
        table = Table("endpoint", "open", box=None, pad_edge=False)
        urls: dict[str, str] = {}
        for name, (service, port) in sorted(found.items()):
            urls[name] = _forward(forwards, stack.cluster(), service, port + offset)
            table.add_row(name, urls[name])
        simulators = {system: urls[_simulator(system)] for system in PROGRAMS if _simulator(system) in urls}
        page = forwards.enter_context(serve(Stack(stack.stack, urls, simulators), PORT + offset))
        console.print(table)
        console.print(f"Start at {page}. Press Ctrl-C to stop.")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            console.print("closed")
            raise typer.Exit(INTERRUPTED) from None


def endpoints(stack: Environment) -> dict[str, tuple[Service, int]]:
    """Maps the name of each endpoint of a stack to its service and its port on this machine."""
    apps = [PROMETHEUS, ALERTMANAGER, LOKI, JAEGER]
    wants_grafana = str(stack.values.get("grafana")).lower() == "true"
    if wants_grafana and (stack.stack != LOCAL or choice.runs_grafana()):
        apps.append(GRAFANA)
    ports = {app.name: (Service(namespace=stack.namespace, name=app.name, port=app.port), app.port) for app in apps}
    if stack.has_simulator:
        receiver = stack.services()["receiver"]
        ports["receiver"] = (receiver, receiver.port)
        programs = enumerate(PROGRAMS.items(), SIMULATED_PORT)
        ports |= {_simulator(system): (program, port) for port, (system, program) in programs}
    return ports


def _simulator(system: str) -> str:
    """Name of the endpoint with a system's fault switches."""
    return f"simulator-{system}"


def _forward(forwards: ExitStack, cluster: Cluster, service: Service, port: int) -> str:
    return forwards.enter_context(service_url(cluster, service, port=port)).replace("127.0.0.1", "localhost")
