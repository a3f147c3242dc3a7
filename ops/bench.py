"""`bench`: measures how long the engine takes as the number of services grows, and each component's memory.

`fire-alerts` measures fault-to-delivery times; `bench` prints those of its last report.
"""

import json
import os
import platform
import subprocess
import time
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.table import Table

from engine import actions
from engine.workspace import Workspace
from local.paths import KUBECONFIG, ROOT, STATE
from ops.clients.kube import kubectl
from ops.environment import LOCAL, load
from ops.errors import OpsError
from ops.terminal import Console

PROGRAM = ROOT / "ops" / "bench_program"
FIRE_REPORT = STATE / "fire-alerts" / "report.json"
MIB = 2**20
STEPS = {
    "preview": actions.preview,
    "first up": actions.up,
    "up without change": actions.up,
    "destroy": actions.destroy,
}
"""The measured steps, in this order, on one stack; an `up` begins with a preview."""


def bench(
    services: Annotated[str, typer.Option(help="Numbers of onboarded services to measure.")] = "1,100,1000",
    fire_report: Annotated[Path, typer.Option(help="Report that `fire-alerts --json` wrote.")] = FIRE_REPORT,
) -> None:
    """Measure the running local cluster and print tables."""
    console = Console(width=120)
    console.print(_machine())
    console.print(_engine_times([int(number) for number in services.split(",")], console))
    console.print(_memory())
    if fire_report.is_file():
        console.print(_deliveries(json.loads(fire_report.read_text())))
    else:
        console.print(f"No fault-to-delivery times: {fire_report} does not exist; `make fire-alerts` writes it.")


def _machine() -> str:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    python = platform.python_version()
    return f"{os.cpu_count()} cores, {total:.0f} GiB, Linux {platform.release()}, Python {python}"


def _engine_times(counts: list[int], console: Console) -> Table:
    table = Table("services", *STEPS, title="Engine, seconds of wall time (in brackets: ms for each further service)")
    least: dict[str, float] = {}
    for count in sorted(counts):
        with TemporaryDirectory() as state, console.status(f"{count} services"):
            config = {"bench:kubeconfig": str(KUBECONFIG), "bench:services": str(count)}
            workspace = Workspace(stack="bench", config=config, root=PROGRAM, state=Path(state))
            times = {name: _seconds(step, workspace) for name, step in STEPS.items()}
        least = least or times
        further = count - min(counts)
        table.add_row(
            str(count),
            *(
                f"{seconds:.1f}" + (f" ({(seconds - least[name]) / further * 1000:.0f})" if further else "")
                for name, seconds in times.items()
            ),
        )
    return table


def _seconds(step: Any, workspace: Workspace) -> float:  # noqa: ANN401  (one of the engine's actions)
    started = time.monotonic()
    step(workspace, report=_silent)
    return time.monotonic() - started


def _silent(_line: str) -> None:
    return


def _memory() -> Table:
    """Memory in use by component, as the kubelet reports it (working set; resident excludes the page cache)."""
    cluster = load(LOCAL).cluster()
    nodes = json.loads(_kubectl(cluster.arguments(), "get", "nodes", "--output=json"))["items"]
    used: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for node in nodes:
        path = f"/api/v1/nodes/{node['metadata']['name']}/proxy/stats/summary"
        for pod in json.loads(_kubectl(cluster.arguments(), "get", "--raw", path))["pods"]:
            for container in pod["containers"]:
                memory = container.get("memory", {})
                key = (pod["podRef"]["namespace"], container["name"])
                used[key].append((memory.get("workingSetBytes", 0), memory.get("rssBytes", 0)))
    table = Table(
        "namespace", "component", "pods", "working set MiB", "resident MiB", title="Memory of all pods together"
    )
    total = 0
    for (namespace, name), pods in sorted(used.items()):
        working, resident = (sum(pod[index] for pod in pods) for index in (0, 1))
        total += resident if namespace != "kube-system" else 0
        table.add_row(namespace, name, str(len(pods)), f"{working / MIB:.0f}", f"{resident / MIB:.0f}")
    table.add_section()
    table.add_row("", "the stack, without the control plane", "", "", f"{total / MIB:.0f}")
    return table


def _deliveries(report: dict[str, Any]) -> Table:
    table = Table(
        "alert", "fault to delivery s", "allowed s", "overhead s", title="Fault to delivery (last fire-alerts)"
    )
    for alert in report["alerts"]:
        row = (alert["delivery"], alert["allowed"], alert["overhead"])
        table.add_row(alert["alert"], *("-" if value is None else f"{value:.1f}" for value in row))
    return table


def _kubectl(target: list[str], *arguments: str) -> str:
    done = subprocess.run([kubectl(), *target, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OpsError(f"kubectl {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout
