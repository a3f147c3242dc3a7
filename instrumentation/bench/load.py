"""`load`: requests at a steady rate to a FastAPI service with the instrumentation package and to the same without.

wrk sends them, from its Debian package where PATH has none. Both variants are processes of this machine and take
turns, so that whatever else it does hits both alike. What is measured is what a client waits, and what the service's
process takes of a core.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.console import Console
from rich.table import Table

from instrumentation.bench.load_plot import plot
from local import debian
from local.errors import LocalError
from local.paths import ROOT, STATE
from local.ports import free_port

P99, ADDED, CPU = 1.0, 0.005, 0.03
"""Limits of the load test: seconds of the 99th percentile, seconds of median that are added, share of a core added."""
PERCENTILES = (10, 25, 50, 75, 90, 95, 99, 99.9)
VARIANTS = {"without": "plain", "instrumented": "instrumented"}
REPORT = STATE / "load"
_CONNECTIONS = 10
_START_SECONDS = 60.0
_TICKS = os.sysconf("SC_CLK_TCK")
_SCRIPT = Path(__file__).with_name("load.lua")


@dataclass(frozen=True, kw_only=True)
class Load:
    """What one variant did; times in seconds."""

    variant: str
    requests: int
    failed: int
    percentiles: dict[str, float]
    cpu: float
    """Share of a core."""


def load(
    rate: Annotated[int, typer.Option(help="Requests per second.", min=1, max=2000)] = 100,
    seconds: Annotated[int, typer.Option(help="Of load on each variant in each round.", min=1)] = 10,
    rounds: Annotated[int, typer.Option(help="How often the variants take turns.", min=1)] = 3,
) -> None:
    """Measure what the instrumentation package costs under load; exit code 1 when a criterion is not met."""
    program = wrk()
    console = Console(width=120)
    found: dict[str, list[Load]] = {name: [] for name in VARIANTS}
    with service("plain") as without, service("instrumented") as instrumented:
        servers = {"without": without, "instrumented": instrumented}
        for number in range(rounds):
            # Whoever is first pays for a cold machine: that is another one in each round.
            order = list(VARIANTS) if number % 2 == 0 else list(reversed(VARIANTS))
            for name in order:
                found[name].append(measure(program, name, *servers[name], rate=rate, seconds=seconds))
    results = {name: together(name, runs) for name, runs in found.items()}
    verdicts = judged(results["without"], results["instrumented"])
    console.print(_table(results, rate))
    console.print(_verdicts(verdicts))
    REPORT.mkdir(parents=True, exist_ok=True)
    (REPORT / "report.json").write_text(json.dumps([asdict(one) for one in results.values()], indent=1))
    (REPORT / "latency.svg").write_text(plot({name: one.percentiles for name, one in results.items()}))
    console.print(f"{(REPORT / 'latency.svg').relative_to(ROOT)}")
    if not all(holds for _, _, _, holds in verdicts):
        raise typer.Exit(1)


def measure(program: list[str], name: str, url: str, process: int, *, rate: int, seconds: int) -> Load:
    """Runs wrk once against one service and returns its result. Raises LocalError when wrk fails."""
    before, began = cpu_seconds(process), time.monotonic()
    pause = round(1000 * _CONNECTIONS / rate)
    command = [*program, "--threads=1", f"--connections={_CONNECTIONS}", f"--duration={seconds}s", "--timeout=10s"]
    done = subprocess.run(
        [*command, f"--script={_SCRIPT}", f"{url}/items/5", "--", str(pause)],
        capture_output=True,
        text=True,
        check=False,
    )
    share = (cpu_seconds(process) - before) / (time.monotonic() - began)
    if done.returncode or not done.stderr.strip():
        raise LocalError(f"wrk failed: {done.stderr.strip() or done.stdout.strip()}")
    said = json.loads(done.stderr.strip().splitlines()[-1])
    percentiles = {key: microseconds / 1e6 for key, microseconds in said["percentiles"].items()}
    return Load(variant=name, requests=said["requests"], failed=said["failed"], percentiles=percentiles, cpu=share)


def together(name: str, runs: list[Load]) -> Load:
    """The rounds of one variant as one: medians, because one round may have had bad luck."""
    return Load(
        variant=name,
        requests=sum(run.requests for run in runs),
        failed=sum(run.failed for run in runs),
        percentiles={key: statistics.median(run.percentiles[key] for run in runs) for key in runs[0].percentiles},
        cpu=statistics.median(run.cpu for run in runs),
    )


def judged(without: Load, instrumented: Load) -> list[tuple[str, str, str, bool]]:
    """Criterion, limit, what was measured, and whether it holds."""
    p99, added = instrumented.percentiles["99"], instrumented.percentiles["50"] - without.percentiles["50"]
    share = instrumented.cpu - without.cpu
    return [
        ("p99", f"< {P99:.0f} s", f"{p99 * 1000:.1f} ms", p99 < P99),
        ("median that is added", f"< {ADDED * 1000:.0f} ms", f"{added * 1000:.2f} ms", added < ADDED),
        ("CPU that is added, of a core", f"< {CPU:.0%}", f"{share:.2%}", share < CPU),
        ("failed requests", "0", str(instrumented.failed + without.failed), not instrumented.failed + without.failed),
    ]


def wrk() -> list[str]:
    """The command of wrk. Raises LocalError where neither PATH nor Debian has it."""
    if found := shutil.which("wrk"):
        return [found]
    root = debian.root("wrk", ("wrk",))
    loader = next(iter((*root.glob("lib64/ld-linux-*.so.*"), *root.glob("lib/ld-linux-*.so.*"))))
    libraries = ":".join(str(folder) for folder in (*root.glob("lib/*-linux-gnu"), *root.glob("usr/lib/*-linux-gnu")))
    return [str(loader), "--library-path", libraries, str(root / "usr/bin/wrk")]


@contextmanager
def service(variant: str) -> Generator[tuple[str, int]]:
    """URL and process id of a service, while the block runs. Raises LocalError when it does not start."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "instrumentation.bench.load_service", variant, str(port)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        try:
            _wait(url, process)
            yield url, process.pid
        finally:
            process.terminate()


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/items/5", timeout=5).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise LocalError("the measured service does not start; see above")


def cpu_seconds(process: int) -> float:
    """CPU time that a process has used, from the kernel."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _table(results: dict[str, Load], rate: int) -> Table:
    table = Table(
        "service", "requests", *(f"p{key}" for key in PERCENTILES), "CPU", title=f"Milliseconds at {rate} requests/s"
    )
    for one in results.values():
        figures = (f"{one.percentiles[f'{key:g}'] * 1000:.1f}" for key in PERCENTILES)
        table.add_row(one.variant, str(one.requests), *figures, f"{one.cpu:.2%}")
    return table


def _verdicts(verdicts: list[tuple[str, str, str, bool]]) -> Table:
    table = Table("criterion", "limit", "measured", "")
    for criterion, limit, measured, holds in verdicts:
        table.add_row(criterion, limit, measured, "holds" if holds else "FAILED")
    return table
