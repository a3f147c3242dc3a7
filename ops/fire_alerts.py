"""`fire-alerts`: makes every alert fire through the real pipeline and proves that its channels were told."""

import json
import os
import time
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from ops import platform_faults, report, routing_drill
from ops.clients import Alertmanager, Prometheus, Receiver, Simulator
from ops.cluster_api import ClusterApi
from ops.drill import Drill, Run, Services, Stage
from ops.environment import LOCAL, Environment, load
from ops.errors import OpsError
from ops.faults import NOT_CAUSED, FaultSource, Sources
from ops.kube import Service, service_urls
from ops.log_rules import LogRules
from ops.plan import SYSTEMS, content, from_files, from_live
from ops.platform_faults import PlatformFaults

PLATFORM = "platform"
"""System whose faults are caused through the Kubernetes API."""
SPECCURSOR = "speccursor"
"""System with fault switches of its own, and with alerts that Loki evaluates."""
MUTES_OTHERS = "TargetDown"
"""A synthetic alert has no namespace and no app, so this one would mute all the others."""
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""

AlertNames = Annotated[list[str] | None, typer.Option("--alert", help="Only this alert; may be given several times.")]
Stack = Annotated[str, typer.Option("--environment", help="Stack whose cluster is drilled.")]
System = Annotated[str | None, typer.Option("--system", help=f"Only alerts of this system: {', '.join(SYSTEMS)}.")]
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
    """Switch each alert's fault on, wait for its notifications, switch it off, wait for resolved; of every system.

    Faults of the platform itself come last and one at a time: they break what the others need.

    With ALERTMANAGER_URL set, synthetic alerts go straight to that Alertmanager: routing only; RECEIVER_URL then names
    the receiver to ask. Exit code: 0 all delivered and resolved, 1 something is missing or not repaired, 2 bad usage.
    """
    console = terminal()
    stack = load(environment)
    files = content(stack)
    names = list(files.selected(alert or [], system))  # a wrong name is found before anything is asked
    alertmanager_url = os.environ.get("ALERTMANAGER_URL")
    if dry_run:
        reasons = {**NOT_CAUSED, **platform_faults.NOT_CAUSED}
        console.print(*report.not_caused(names, reasons), sep="\n")
        names = [name for name in names if name not in reasons]
        plans = from_files(files, stack, names) if names else []
        console.print(report.plan_table(plans), *report.notes(plans), sep="\n")
        return
    if alertmanager_url:
        receiver_url = os.environ.get("RECEIVER_URL")
        parts = [[name for name in names if name != MUTES_OTHERS]]
        if MUTES_OTHERS in names and (files.enabled(MUTES_OTHERS) or not parts[0]):
            parts.append([MUTES_OTHERS])
        codes = [routing_drill.run(console, files, part, alertmanager_url, receiver_url) for part in parts if part]
        raise typer.Exit(max(codes))
    if not stack.has_simulator:
        raise OpsError(
            f"stack {environment} runs no simulator (observability:simulator), so no fault can be switched on; "
            "set ALERTMANAGER_URL to try its routing alone"
        )
    systems = {name: files.rule(name).labels.system for name in names}
    with service_urls(stack.cluster(), **_addresses(stack, systems.values())) as urls:
        services, platform = _connected(stack, urls, systems.values())
        reasons = {**NOT_CAUSED, **{name: "this stack disables it" for name in names if not files.enabled(name)}}
        if platform:
            for place in platform.recover():
                console.print(f"An earlier drill was killed and left a fault on, which is over now: {place}.")
            reasons = {**platform_faults.NOT_CAUSED, **platform.absent(), **reasons}
        console.print(*report.not_caused(names, reasons), sep="\n")
        names = [name for name in names if name not in reasons]
        if not names:
            raise OpsError("nothing is left to drill")
        alone = [name for name in names if serial or systems[name] == PLATFORM]
        with repaired(console, platform):
            code = drill(console, stack, services, names, alone=alone, json_file=json_file)
        raise typer.Exit(code)


def _addresses(stack: Environment, systems: Collection[str]) -> dict[str, Service]:
    services = stack.services()
    if SPECCURSOR in systems:
        services[SPECCURSOR] = Service(namespace=SPECCURSOR, name=SPECCURSOR, port=services["simulator"].port)
        services["loki"] = Service(namespace=stack.namespace, name="loki", port=3100)
    return services


def _connected(
    stack: Environment, urls: Mapping[str, str], systems: Collection[str]
) -> tuple[Services, PlatformFaults | None]:
    """What a drill of these systems talks to, and the faults of the platform if that is one of them."""
    simulator, receiver, prometheus = (
        Simulator(urls["simulator"]),
        Receiver(urls["receiver"]),
        Prometheus(urls["prometheus"]),
    )
    sources: list[FaultSource] = [simulator]
    if SPECCURSOR in systems:
        sources.append(Simulator(urls[SPECCURSOR]))
    platform = None
    if PLATFORM in systems:
        platform = PlatformFaults(ClusterApi(stack.cluster(), stack.namespace), prometheus, receiver)
        sources.append(platform)
    services = Services(
        simulator=simulator,
        receiver=receiver,
        prometheus=prometheus,
        alertmanager=Alertmanager(urls["alertmanager"]),
        source=Sources(*sources),
        log_rules=LogRules(urls["loki"]) if "loki" in urls else None,
    )
    return services, platform


@contextmanager
def repaired(console: Console, platform: PlatformFaults | None) -> Generator[None]:
    """Nothing is left of the platform's faults after the block; else how to repair it is printed, and exit code 1."""
    left: dict[str, str] = {}
    try:
        yield
    finally:
        left = platform.end_all() if platform else {}
        for alert, command in left.items():
            console.print(f"NOT REPAIRED: the fault of {alert} is still on. To end it: {command}", soft_wrap=True)
    if left:
        raise typer.Exit(1)


def drill(
    console: Console,
    stack: Environment,
    services: Services,
    names: list[str],
    *,
    alone: Collection[str] = (),
    json_file: Path | None = None,
) -> int:
    """Run the drill against these services, `alone` one by one, and print the result; the exit code."""
    files = content(stack)
    plans = from_live(files, services.prometheus, services.alertmanager, names, log_rules=services.log_rules)
    work = Drill(plans, services, files)
    interrupted = False
    try:
        with _progress(console, work.runs) as show:
            work.run(alone=alone, on_tick=show)
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
        on = [run.plan.alert for run in work.runs if run.fault_on is not None and run.fault_off is None]
        console.print(f"Interrupted: {'still on: ' + ', '.join(on) if on else 'every fault is switched off again'}.")
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
