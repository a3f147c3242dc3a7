"""`fire-alerts`: makes every alert fire through the real pipeline and proves that its channels were notified."""

import json
import os
import time
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.live import Live

from alerting import loader, routing
from local.paths import STATE
from ops.clients.cluster_api import ClusterApi
from ops.clients.kube import Service, service_urls
from ops.clients.signals import Alertmanager, Prometheus, Receiver, Simulator
from ops.drills import faults, report, report_files, routing_drill
from ops.drills.deployed import Content, content
from ops.drills.drill import Drill
from ops.drills.faults import REAL, FaultSource, Sources
from ops.drills.log_rules import LogRules
from ops.drills.plan import from_files, from_live, seconds
from ops.drills.platform_faults import PlatformFaults
from ops.drills.services import Services
from ops.drills.stages import Run, Stage
from ops.drills.wait_times import duration_text
from ops.environment import LOCAL, Environment, load
from ops.errors import OpsError, UsageError
from ops.messages.preview import previews
from ops.terminal import Console
from settings import stack_files
from settings.apps import LOKI
from settings.stack_files import StackFileError

INTERRUPTED = 130
"""Exit code after Ctrl-C, as in shells."""
REPORTS = STATE / "fire-alerts"
"""Folder in which a report is always written."""

AlertNames = Annotated[list[str] | None, typer.Option("--alert", help="Only this alert; may be repeated.")]
Stack = Annotated[str, typer.Option("--environment", help="Stack to drill, as in Pulumi.<stack>.yaml.")]
System = Annotated[str | None, typer.Option("--system", help="Only alerts of this system.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the plan and the payloads, and change nothing.")]
Serial = Annotated[bool, typer.Option("--serial", help="Drill one alert after the other instead of all at once.")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Also write the result to this file.")]
HtmlFile = Annotated[Path | None, typer.Option("--html", help="Also write the page with the timeline to this file.")]
LongestWindow = Annotated[
    str, typer.Option(help="For alerts with a longer window, check the delivery but do not wait until they resolve.")
]


def fire_alerts(  # noqa: PLR0913 -- the options of the command
    *,
    alert: AlertNames = None,
    system: System = None,
    environment: Stack = LOCAL,
    dry_run: DryRun = False,
    serial: Serial = False,
    json_file: JsonFile = None,
    html: HtmlFile = None,
    longest_window: LongestWindow = "30m",
) -> None:
    """Switch each alert's fault on, wait for its notifications, switch the fault off, wait for resolved notifications.

    Alerts whose faults do not disturb each other are drilled at the same time.

    If ALERTMANAGER_URL is set, only the routing is drilled: synthetic alerts are sent to that Alertmanager, and
    RECEIVER_URL names the receiver to check. Exit code: 0 all delivered and resolved, 1 a notification is missing or a
    fault is not repaired, 2 bad usage.
    """
    console = terminal()
    stack = load(environment)
    files = content(stack)
    names = list(files.selected(alert or [], system))  # reports an unknown name before the first request
    try:
        window = seconds(longest_window)
    except OpsError as error:
        raise UsageError(f"--longest-window: {error}") from error
    reasons = {name: why for name in names if (why := _left_out(files, name))}
    if dry_run:
        console.print(*report.not_caused(names, reasons), sep="\n")
        _dry_run(console, stack, files, [name for name in names if name not in reasons])
        return
    outputs = report_files.Outputs(json=json_file, html=html, folder=REPORTS)
    outputs.check()
    if url := os.environ.get("ALERTMANAGER_URL"):
        raise typer.Exit(routing_drill.run(console, files, names, url, os.environ.get("RECEIVER_URL")))
    if not stack.has_simulator:
        raise OpsError(
            f"stack {environment} runs no simulator (observability:simulator), so no fault can be switched on; "
            "set ALERTMANAGER_URL to drill only its routing"
        )
    wanted = [name for name in names if name not in reasons]
    with service_urls(stack.cluster(), **addresses(stack, files, wanted)) as urls:
        services, platform = connected(stack, urls, real=bool(set(wanted) & set(REAL)))
        if platform:
            for place in platform.recover():
                console.print(f"Ended a fault that an earlier, killed drill had left on: {place}.")
            reasons |= {name: why for name, why in platform.absent().items() if name in names}
        console.print(*report.not_caused(names, reasons), sep="\n")
        names = [name for name in names if name not in reasons]
        if not names:
            raise OpsError("nothing is left to drill")
        with repaired(console, platform):
            code = drill(
                console, stack, services, names, serial=serial, outputs=outputs, longest_window=window, left_out=reasons
            )
        raise typer.Exit(code)


def _dry_run(console: Console, stack: Environment, files: Content, names: list[str]) -> None:
    """Print the plan, and the payload for each channel, rendered by the real Alertmanager."""
    plans = from_files(files, stack, names) if names else []
    console.print(report.plan_table(plans, simulated=stack.has_simulator), *report.notes(plans), sep="\n")
    if not stack.has_simulator:
        console.print(
            f"Stack {stack.stack} runs no simulator, so nothing can make its alerts fire; with ALERTMANAGER_URL, "
            "their routing can be drilled."
        )
    try:
        chosen = [(files.rule(name), files.thresholds.get(name, {})) for name in names]
        values = stack_files.typed(stack.values)
        found = previews(chosen, loader.load(), files.routing, routing.message_templates(), values)
    except (OpsError, StackFileError) as error:
        console.print(f"Payloads are not shown: {error}", soft_wrap=True)
        return
    for delivery in found:
        alert = delivery.alerts[0]["alertname"]
        channel = delivery.receiver
        console.print(f"\npayload of {alert} for {channel} ({delivery.kind}):")
        console.print(json.dumps(delivery.payload, indent=2), soft_wrap=True, highlight=False, markup=False)


def _left_out(files: Content, name: str) -> str | None:
    """The reason why an alert is not drilled; None if it is."""
    if not files.enabled(name):
        return "this stack disables it"
    return faults.not_caused(name, files.system(name))


def addresses(stack: Environment, files: Content, names: Sequence[str]) -> dict[str, Service]:
    """The services that a drill of these alerts needs; simulated programs have the names of their systems."""
    services = stack.services()
    if any(files.rules[name].engine == "loki" for name in names):
        services["loki"] = stack.service(LOKI)
    for name in names:
        services |= {program: faults.PROGRAMS[program] for program in faults.programs(name, files.system(name))}
    return services


def connected(stack: Environment, urls: Mapping[str, str], *, real: bool) -> tuple[Services, PlatformFaults | None]:
    """The clients for a drill, and the platform's faults if the drill causes real ones."""
    receiver, prometheus = Receiver(urls["receiver"]), Prometheus(urls["prometheus"])
    platform = PlatformFaults(ClusterApi(stack.cluster(), stack.namespace), prometheus, receiver) if real else None
    sources: list[FaultSource] = [platform] if platform else []
    sources += [Simulator(url) for name, url in urls.items() if name in faults.PROGRAMS]
    services = Services(
        source=Sources(*sources),
        receiver=receiver,
        prometheus=prometheus,
        alertmanager=Alertmanager(urls["alertmanager"]),
        log_rules=LogRules(urls["loki"]) if "loki" in urls else None,
    )
    return services, platform


@contextmanager
def repaired(console: Console, platform: PlatformFaults | None) -> Generator[None]:
    """End all of the platform's faults after the block.

    For each fault that cannot be ended, prints the command that repairs it, and exits with code 1.
    """
    left: dict[str, str] = {}
    try:
        yield
    finally:
        left = platform.end_all() if platform else {}
        for alert, command in left.items():
            console.print(f"NOT REPAIRED: the fault of {alert} is still on. To end it: {command}", soft_wrap=True)
    if left:
        raise typer.Exit(1)


def drill(  # noqa: PLR0913 -- the options of the command
    console: Console,
    stack: Environment,
    services: Services,
    names: list[str],
    *,
    serial: bool = False,
    alone: Collection[str] = REAL,
    outputs: report_files.Outputs | None = None,
    longest_window: float = 1800.0,
    left_out: Mapping[str, str] | None = None,
) -> int:
    """Run the drill with these services and print the result. Returns the exit code."""
    files = content(stack)
    plans = from_live(files, services.prometheus, services.alertmanager, names, log_rules=services.log_rules)
    inhibitions = services.alertmanager.config().get("inhibit_rules") or []
    work = Drill(plans, services, files, longest_window=longest_window, inhibitions=inhibitions)
    interrupted, stopped = False, None
    try:
        with _progress(console, work.runs) as show:
            work.run(alone=alone, serial=serial, on_tick=show)
    except KeyboardInterrupt:
        interrupted = True
    except OpsError as error:
        if all(run.waiting for run in work.runs):
            raise
        stopped = error  # the measurements so far are still reported
    result = report.Result(
        environment=stack.stack,
        began=work.began,
        ended=time.time(),
        runs=work.runs,
        others=sorted(work.others),
        left_out=left_out or {},
    )
    console.print(report.result_table(work.runs))
    console.print(report.EXPLANATION, style="dim")
    for line in report.notes(plans, work.others):
        console.print(line)
    for file in report_files.write(result, outputs) if outputs else []:
        console.print(f"report: {file}", soft_wrap=True)
    if interrupted:
        on = [run.plan.alert for run in work.runs if run.fault_on is not None and run.fault_off is None]
        console.print(f"Interrupted: {'still on: ' + ', '.join(on) if on else 'every fault is switched off again'}.")
        return INTERRUPTED
    console.print(report.summary(result))
    if stopped:
        raise stopped
    return 0 if all(run.ok for run in work.runs) else 1


def terminal() -> Console:
    """Standard output; if it is not a terminal (a file, a job's log), wide enough for the tables."""
    console = Console()
    return console if console.is_terminal else Console(width=160)


@contextmanager
def _progress(console: Console, runs: list[Run]) -> Generator[Callable[[], None]]:
    """Shows a live table on a terminal, elsewhere one line per change."""
    if console.is_terminal:
        with Live(console=console, refresh_per_second=2, transient=True) as live:
            yield lambda: live.update(report.progress_table(runs, time.time()))
        return
    seen: dict[str, Stage] = {run.plan.alert: Stage.QUEUED for run in runs}
    begun = time.time()

    def lines() -> None:
        ended = sum(run.ended for run in runs)
        for run in runs:
            if seen[run.plan.alert] is not run.stage:
                seen[run.plan.alert] = run.stage
                since = duration_text(round(time.time() - begun))
                console.print(f"{since:>6} {ended}/{len(runs)} {run.plan.alert}: {run.stage.value}", highlight=False)

    yield lines
