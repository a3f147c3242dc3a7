"""`fire-alerts`: makes every alert fire through the real pipeline and proves that its channels were told."""

import json
import os
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from ops import report, routing_drill
from ops.clients import Alertmanager, Prometheus, Receiver, Simulator
from ops.cluster_api import ClusterApi
from ops.drill import Drill, Run, Services, Stage
from ops.environment import LOCAL, Environment, load
from ops.errors import OpsError
from ops.faults import Sources
from ops.kube import service_urls
from ops.plan import content, from_files, from_live
from ops.platform_faults import NOT_CAUSED, PlatformFaults

PLATFORM = "platform"
"""System whose faults are caused through the Kubernetes API."""
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""

AlertNames = Annotated[list[str] | None, typer.Option("--alert", help="Only this alert; may be given several times.")]
Stack = Annotated[str, typer.Option("--environment", help="Stack whose cluster is drilled.")]
System = Annotated[str | None, typer.Option("--system", help="All alerts of this system: job-queue or platform.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the plan and touch nothing.")]
Serial = Annotated[bool, typer.Option("--serial", help="One alert after the other instead of all at once.")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write the result to this file as well.")]


def fire_alerts(
    *,
    alert: AlertNames = None,
    system: System = None,
    environment: Stack = LOCAL,
    dry_run: DryRun = False,
    serial: Serial = False,
    json_file: JsonFile = None,
) -> None:
    """Switch each alert's fault on, wait for its notifications, switch it off, wait for resolved.

    With ALERTMANAGER_URL set, synthetic alerts go straight to that Alertmanager: routing only; RECEIVER_URL then names
    the receiver to ask. Exit code: 0 all delivered and resolved, 1 something is missing, 2 bad usage.
    """
    console = terminal()
    stack = load(environment)
    files = content(stack)
    names = list(files.selected(alert or [], system))  # a wrong name is found before anything is asked
    alertmanager_url = os.environ.get("ALERTMANAGER_URL")
    if dry_run:
        console.print(*report.not_caused(names, NOT_CAUSED), sep="\n")
        plans = from_files(files, stack, names)
        console.print(report.plan_table(plans), *report.notes(plans), sep="\n")
        return
    if alertmanager_url:
        receiver_url = os.environ.get("RECEIVER_URL")
        code = routing_drill.run(console, files, names, alertmanager_url, receiver_url)
        raise typer.Exit(code)
    if not stack.has_simulator:
        raise OpsError(
            f"stack {environment} runs no simulator (observability:simulator), so no fault can be switched on; "
            "set ALERTMANAGER_URL to try its routing alone"
        )
    with service_urls(stack.cluster(), **stack.services()) as urls:
        simulator, receiver = Simulator(urls["simulator"]), Receiver(urls["receiver"])
        prometheus = Prometheus(urls["prometheus"])
        source, reasons = simulator, dict[str, str]()
        if any(files.rule(name).labels.system == PLATFORM for name in names):
            platform = PlatformFaults(ClusterApi(stack.cluster(), stack.namespace), prometheus, receiver)
            source, reasons = Sources(simulator, platform), {**NOT_CAUSED, **platform.absent()}
        services = Services(
            simulator=simulator,
            receiver=receiver,
            prometheus=prometheus,
            alertmanager=Alertmanager(urls["alertmanager"]),
            source=source,
        )
        console.print(*report.not_caused(names, reasons), sep="\n")
        names = [name for name in names if name not in reasons]
        if not names:
            raise OpsError("nothing is left to drill")
        # Faults of the platform break what the others need (rules, receiver), so never two at a time.
        serial = serial or source is not simulator
        raise typer.Exit(drill(console, stack, services, names, serial=serial, json_file=json_file))


def drill(
    console: Console,
    stack: Environment,
    services: Services,
    names: list[str],
    *,
    serial: bool = False,
    json_file: Path | None = None,
) -> int:
    """Run the drill against these services and print the result; the exit code."""
    files = content(stack)
    plans = from_live(files, services.prometheus, services.alertmanager, names)
    work = Drill(plans, services, files)
    interrupted = False
    try:
        with _progress(console, work.runs) as show:
            work.run(serial=serial, on_tick=show)
    except KeyboardInterrupt:
        interrupted = True
    console.print(report.result_table(work.runs))
    console.print(report.EXPLANATION, style="dim")
    for line in report.notes(plans, work.others):
        console.print(line)
    if json_file:
        document = report.as_json(work.runs, environment=stack.stack, others=work.others)
        json_file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    if interrupted:
        console.print("Interrupted: every fault is switched off again.")
        return INTERRUPTED
    failed = [run.plan.alert for run in work.runs if run.stage is not Stage.DONE]
    console.print(f"{len(work.runs) - len(failed)} of {len(work.runs)} alerts delivered and resolved.")
    return 1 if failed else 0


def terminal() -> Console:
    """Standard output; where that is no terminal (a file, a job's log), wide enough for the tables."""
    console = Console()
    return console if console.is_terminal else Console(width=140)


@contextmanager
def _progress(console: Console, runs: list[Run]) -> Generator[Callable[[], None]]:
    """A live table on a terminal; elsewhere one line per change."""
    if console.is_terminal:
        with Live(console=console, refresh_per_second=4, transient=True) as live:
            yield lambda: live.update(report.progress_table(runs, time.time()))
        return
    seen: dict[str, Stage] = {}

    def lines() -> None:
        for run in runs:
            if seen.get(run.plan.alert) is not run.stage:
                seen[run.plan.alert] = run.stage
                console.print(f"{time.strftime('%H:%M:%S')} {run.plan.alert}: {run.stage.value}")

    yield lines
