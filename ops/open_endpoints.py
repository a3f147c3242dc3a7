"""`open`: serves every endpoint of a stack on local ports until interrupted."""

import threading
from contextlib import ExitStack
from typing import Annotated

import typer
from rich.table import Table

from local import choice
from local.ports import is_free
from ops.clients.kube import Service, service_url
from ops.drills.faults import PROGRAMS
from ops.drills.fire_alerts import INTERRUPTED
from ops.environment import LOCAL, Environment, load
from ops.errors import OpsError
from ops.start_page.forward import guarded
from ops.start_page.guard import Guard
from ops.start_page.server import PORT, serve
from ops.start_page.state import Stack
from ops.terminal import Console
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
    guard = Guard(PORT + offset)
    with ExitStack() as forwards:
        table = Table("endpoint", "open", box=None, pad_edge=False)
        urls: dict[str, str] = {}
        behind: dict[str, str] = {}
        for name, (service, port) in sorted(found.items()):
            behind[name] = forwards.enter_context(service_url(stack.cluster(), service))
            urls[name] = forwards.enter_context(guarded(guard, port + offset, behind[name]))
            table.add_row(name, urls[name])
        # The page switches faults behind the guard, after it has checked its own requests.
        simulators = {system: behind[_simulator(system)] for system in PROGRAMS if _simulator(system) in behind}
        page = forwards.enter_context(serve(Stack(stack.stack, urls, simulators), guard, PORT + offset))
        console.print(table)
        url = urls[ALERTMANAGER.name].replace("//", f"//{guard.login}@")
        console.print(f"For commands that change something: ALERTMANAGER_URL={url}", soft_wrap=True, highlight=False)
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
