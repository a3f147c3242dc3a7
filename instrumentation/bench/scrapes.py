"""`scrapes`: what a page of metrics costs after a service's worker processes have been replaced again and again."""

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from local.paths import ROOT

LABEL_SETS = 100
_WORKER = f"""
import asyncio, json, sys, time
from instrumentation.bench.load_service import bare
from instrumentation.bench.middleware_costs import ask
from observability_fastapi import exposition, instrument
from prometheus_client import CollectorRegistry

def service():
    app = bare({LABEL_SETS})
    instrument(app, "bench", registry=CollectorRegistry(), logs=False, log_requests=False, tracing=False)
    return app

async def work(app):
    for number in range({LABEL_SETS}):
        await ask(app, f"/route{{number}}/x")
"""
_FILL = f"""{_WORKER}
import os
app = service()
# Each child is a worker that ends: forking is faster than a start per worker, and a forked process counts from 0.
for _ in range(int(sys.argv[1])):
    child = os.fork()
    if not child:
        asyncio.run(work(app))
        os._exit(0)
    os.waitpid(child, 0)
"""
_MEASURE = f"""{_WORKER}
app = service()

async def measure():
    await work(app)
    took = []
    for _ in range(4):
        began = time.process_time()
        await ask(app, "/metrics")
        took.append(time.process_time() - began)
    return took

print(json.dumps(asyncio.run(measure())))
"""


def scrapes(
    workers: Annotated[list[int] | None, typer.Option(help="Ended workers of each measurement.")] = None,
) -> None:
    """Measure the CPU time of scrapes with the files of so many ended worker processes; 100 routes each."""
    table = Table("ended workers", "first scrape", "later ones", "files after", title="Milliseconds of CPU time")
    for number in workers or [1, 50, 500]:
        with TemporaryDirectory(prefix="scrapes") as folder:
            _run(folder, _FILL, str(number))
            took: list[float] = json.loads(_run(folder, _MEASURE))
            files = len(list(Path(folder).glob("*.db")))
        table.add_row(str(number), f"{took[0] * 1000:.0f}", f"{min(took[1:]) * 1000:.0f}", str(files))
    Console(width=120).print(table)


def _run(folder: str, program: str, *arguments: str) -> str:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": folder}
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
