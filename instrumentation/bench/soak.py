"""`soak`: a service under load while everything that its telemetry needs is lost.

Its log goes to a device that is always full, its collector does not exist, one of its two workers is killed again and
again, and the other's memory is watched. At the end every answer must be counted, and no answer lost but those of the
killed workers.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import httpx
import typer
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from local.errors import LocalError
from local.paths import ROOT
from local.ports import free_port

CONNECTIONS = 8
_PAUSE = 0.02
"""Seconds between two requests of a connection; the machine does other work, too."""
_START_SECONDS = 60.0
_GROWTH = 1.10
"""Memory of the worker that lives on, in the last quarter of the time against the second."""
_PATHS = ("/items/5", "/items/6", "/nothing", "/route1/x")


@dataclass(kw_only=True)
class Soak:
    """What happened."""

    answers: dict[int, int] = field(default_factory=dict[int, int])
    """Status -> answers."""
    cut: int = 0
    """Connections that ended before the answer, by a kill."""
    kills: int = 0
    scrapes: int = 0
    failed_scrapes: int = 0
    counted: dict[str, float] = field(default_factory=dict[str, float])
    """Metric -> sum over all series."""
    memory: list[int] = field(default_factory=list[int])
    """KiB of the worker that lives on, about every second."""
    files: int = 0


def soak(
    minutes: Annotated[float, typer.Option(help="Duration of the load.", min=0.1)] = 10.0,
    kill_every: Annotated[float, typer.Option(help="Seconds between two kills.", min=1.0)] = 15.0,
) -> None:
    """Put load on a service whose log, collector and workers fail; exit code 1 when an answer or a count is lost."""
    found = Soak()
    with TemporaryDirectory(prefix="soak") as folder, _server(Path(folder)) as (port, server):
        asyncio.run(_run(found, port, server, seconds=minutes * 60, kill_every=kill_every))
        found.files = len(list(Path(folder).glob("*.db")))
    console = Console(width=120)
    shown = asdict(found) | {"memory": f"{_quarter(found, 1):.0f} -> {_quarter(found, 3):.0f} KiB"}
    console.print_json(json.dumps(shown))
    failed = broken(found)
    for criterion in failed:
        console.print(f"FAILED: {criterion}")
    if failed:
        raise typer.Exit(1)


def broken(found: Soak) -> list[str]:
    """The criteria that do not hold."""
    answers = sum(found.answers.values())
    counted = found.counted.get("request_count", 0)
    # A worker may be killed between an answer and its count, or between a count and its answer.
    tolerance = found.cut + found.kills * CONNECTIONS
    criteria = {
        f"{counted:.0f} requests are counted for {answers} answers, within {tolerance}": abs(counted - answers)
        <= tolerance,
        "the three metrics agree": len({found.counted.get(name) for name in _NAMES}) == 1,
        f"{found.cut} answers are lost by {found.kills} kills": found.cut <= found.kills * CONNECTIONS,
        "no answer is a failure of the service": not any(status >= 500 for status in found.answers),
        f"{found.failed_scrapes} scrapes fail, at most one a kill": found.failed_scrapes <= found.kills,
        f"memory grows by less than {_GROWTH - 1:.0%}": _quarter(found, 3) < _quarter(found, 1) * _GROWTH,
        f"{found.files} files are left of {found.kills} killed workers": found.files <= 12,
    }
    return [criterion for criterion, holds in criteria.items() if not holds]


_NAMES = ("request_count", "response_status_count", "request_duration_seconds_count")


def _quarter(found: Soak, number: int) -> float:
    """Largest memory in a quarter of the time."""
    length = max(1, len(found.memory) // 4)
    return float(max(found.memory[number * length : (number + 1) * length], default=0))


async def _run(found: Soak, port: int, server: int, *, seconds: float, kill_every: float) -> None:
    until = time.monotonic() + seconds
    clients = [_client(found, port, until, number) for number in range(CONNECTIONS)]
    await asyncio.gather(*clients, _kills(found, server, until, kill_every), _scrapes(found, port, until))
    await asyncio.sleep(2)
    found.counted = await _page(port)


async def _client(found: Soak, port: int, until: float, number: int) -> None:
    while time.monotonic() < until:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
            continue
        asked = False
        try:
            while time.monotonic() < until:
                path = _PATHS[(number + sum(found.answers.values())) % len(_PATHS)]
                writer.write(f"GET {path} HTTP/1.1\r\nHost: soak\r\nX-Project-Id: p{number}\r\n\r\n".encode())
                asked = True
                status = await _answer(reader)
                found.answers[status] = found.answers.get(status, 0) + 1
                asked = False
                await asyncio.sleep(_PAUSE)
        except (OSError, asyncio.IncompleteReadError):
            found.cut += asked
        finally:
            writer.close()


async def _answer(reader: asyncio.StreamReader) -> int:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    length = next(int(line.split(":")[1]) for line in head.splitlines() if line.lower().startswith("content-length"))
    await reader.readexactly(length)
    return int(head.split()[1])


async def _kills(found: Soak, server: int, until: float, every: float) -> None:
    oldest, last = min(_children(server)), time.monotonic()
    while time.monotonic() < until:
        await asyncio.sleep(1)
        with suppress(OSError):
            status = Path(f"/proc/{oldest}/status").read_text()
            found.memory.append(int(status.split("VmRSS:")[1].split()[0]))
        workers = _children(server)
        if time.monotonic() - last > every and len(workers) > 1:
            os.kill(max(workers), signal.SIGKILL)
            found.kills += 1
            last = time.monotonic()


async def _scrapes(found: Soak, port: int, until: float) -> None:
    while time.monotonic() < until:
        await asyncio.sleep(5)
        found.scrapes += 1
        try:
            await _page(port)
        except (httpx.HTTPError, KeyError):
            found.failed_scrapes += 1


async def _page(port: int) -> dict[str, float]:
    async with httpx.AsyncClient(timeout=30) as client:
        answer = (await client.get(f"http://127.0.0.1:{port}/metrics")).raise_for_status()
    sums: dict[str, float] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            sums[sample.name] = sums.get(sample.name, 0) + sample.value
    return {name: value for name, value in sums.items() if not name.endswith("_bucket")}


def _children(server: int) -> list[int]:
    """Ids of the server's workers, which listen; not of its helper that tracks resources."""
    found = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    return [int(one) for one in found if "spawn_main" in Path(f"/proc/{one}/cmdline").read_text()]


@contextmanager
def _server(folder: Path) -> Generator[tuple[int, int]]:
    """Port and process id of the service, while the block runs. Raises LocalError when it does not start."""
    port = free_port()
    environment = {
        **os.environ,
        "PROMETHEUS_MULTIPROC_DIR": str(folder),
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}",
    }
    application = "instrumentation.bench.load_service:instrumented"
    command = [sys.executable, "-m", "uvicorn", "--factory", application, "--port", str(port), "--workers", "2"]
    with (
        Path("/dev/full").open("w") as full,
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=full, stderr=subprocess.DEVNULL) as process,
    ):
        try:
            _wait(port, process)
            yield port, process.pid
        finally:
            process.terminate()


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(httpx.HTTPError):
            if httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=5).is_success and len(_children(process.pid)) == 2:
                return
        time.sleep(0.2)
    raise LocalError("the service does not start")
