"""`python -m tools.bench_replay`: the time of a replay of thirty days, and its cost for the Prometheus that it reads.

A quiet stretch of the running local stack is repeated for thirty days, so that the series have real names, labels and
values. Prometheus' own program makes blocks of them, and a server on loopback has nothing else to do.
"""

import argparse
import dataclasses
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from subprocess import run
from tempfile import TemporaryDirectory

import yaml

from alerting.files import ROOT
from local.ports import free_port
from local.toolchain import tool
from ops.replay import capsule, deployed
from ops.replay.deployed import Deployed
from ops.replay.episodes import SECOND
from ops.replay.evaluation import Sources
from ops.replay.history import History
from ops.replay.incident_command import sources
from ops.replay.replay import replay
from tools.bench_collectors import cpu_seconds, most_memory
from tools.programs import Server

STACK = "staging"
"""Its intervals are those of a real stack: the local one evaluates every five seconds."""
STEP = 30 * SECOND
_COUNTERS = ("_total", "_count", "_sum", "_bucket")
_DAY = 86_400 * SECOND
_FEW_PASSES = "486h"
"""Longest block. Prometheus' program reads the whole file once for each block."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench_replay", description=__doc__)
    parser.add_argument("--days", type=int, default=30, help="days of data; default: 30")
    parser.add_argument("--minutes", type=int, default=10, help="minutes of the local stack to repeat; default: 10")
    parser.add_argument("--series", type=int, default=3, help="most series of one metric; default: 3")
    chosen = parser.parse_args(arguments)
    with TemporaryDirectory(prefix="bench-") as name, ExitStack() as running:
        folder = Path(name)
        now = int(time.time()) * SECOND
        slices = picked(_captured(chosen.minutes), chosen.series)
        until = now - now % STEP
        with (folder / "recorded.txt").open("w") as out:
            out.writelines(repeated(slices, since=until - chosen.days * _DAY, until=until))
        server, url = recorded_prometheus(folder, running)
        commit = deployed.read(ROOT, STACK, name="base")
        alerts = list(_alerts(commit))
        print(f"{len(slices)} series, {chosen.days} days, a sample every {STEP // SECOND} s; {len(alerts)} alerts")
        print(f"{'':<24}{'seconds':>9}{'server, CPU s':>15}{'server, MiB':>13}{'not replayed':>14}")
        for what, names in (("one changed alert", alerts[:1]), ("all alerts changed", alerts)):
            head = _waiting_longer(commit, names)
            started, used = time.monotonic(), cpu_seconds(server)
            found = replay(commit, head, Sources(prometheus=url), since=until - (chosen.days - 1) * _DAY, until=until)
            seconds, used = time.monotonic() - started, cpu_seconds(server) - used
            errors = [name for name, reason in found.not_replayed.items() if "cannot be evaluated" in reason]
            print(f"{what:<24}{seconds:>9.1f}{used:>15.1f}{most_memory(server):>13.0f}{len(errors):>14}")
    return 0


Slice = dict[int, float]
"""Milliseconds since 1970 -> value."""


def _captured(minutes: int) -> dict[str, Slice]:
    """Samples that the rules read of the local stack in its last minutes; each series is named as in OpenMetrics."""
    with ExitStack() as forwards:
        where = dataclasses.replace(sources(forwards, "local", None, None), loki=None)
        until = History(where.prometheus).now()
        commit = deployed.read(ROOT, "local", name="local")
        found = capsule.capture(commit, where, since=until - minutes * 60 * SECOND, until=until, before=0)
    series: dict[str, Slice] = {}
    for line in found.samples.splitlines():
        if not line.startswith("#"):
            name, value, at = line.rsplit(" ", 2)
            if value != "NaN":
                series.setdefault(name, {})[round(float(at) * SECOND)] = float(value)
    return series


def picked(series: dict[str, Slice], most: int) -> dict[str, Slice]:
    """The `most` series of each metric that have the most samples."""
    by_metric: dict[str, list[str]] = {}
    for name in sorted(series, key=lambda one: (-len(series[one]), one)):
        by_metric.setdefault(name.partition("{")[0], []).append(name)
    return {name: series[name] for names in by_metric.values() for name in names[:most]}


def repeated(series: dict[str, Slice], *, since: int, until: int) -> Iterator[str]:
    """Lines of OpenMetrics: each slice again and again, a sample each STEP; counters go on from where they were."""
    first = min(min(one) for one in series.values())
    length = max(max(one) for one in series.values()) - first
    steps = max(length // STEP, 1)
    for name, one in series.items():
        values = list(_each_step(one, first, steps))
        counter = name.partition("{")[0].endswith(_COUNTERS)
        growth = max(values[-1] - values[0], 0.0) if counter else 0.0
        for index, at in enumerate(range(since, until + 1, STEP)):
            times, step = divmod(index, steps)
            yield f"{name} {values[step] + times * growth:.15g} {at // SECOND}\n"
    yield "# EOF\n"


def _each_step(one: Slice, first: int, steps: int) -> Iterator[float]:
    times = sorted(one)
    value, at = one[times[0]], 0
    for step in range(steps):
        while at < len(times) and times[at] <= first + step * STEP:
            value, at = one[times[at]], at + 1
        yield value


def recorded_prometheus(folder: Path, running: ExitStack) -> tuple[Server, str]:
    """A running server with the samples in `recorded.txt` of the folder (OpenMetrics), and its URL."""
    command = [tool("promtool"), "tsdb", "create-blocks-from", f"--max-block-duration={_FEW_PASSES}"]
    run([*command, "openmetrics", "recorded.txt", "data"], cwd=folder, check=True, capture_output=True)
    (folder / "recorded.txt").unlink()
    (folder / "prometheus.yml").write_text("{}")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    arguments = ["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--storage.tsdb.retention.time=100y"]
    server = Server("prometheus", [*arguments, f"--web.listen-address=127.0.0.1:{port}"], folder, f"{url}/-/ready")
    return running.enter_context(server), url


def _alerts(commit: Deployed) -> Iterator[str]:
    for text in commit.rule_files.values():
        for group in yaml.safe_load(text)["groups"]:
            yield from (rule["alert"] for rule in group["rules"] if "alert" in rule)


def _waiting_longer(commit: Deployed, alerts: list[str]) -> Deployed:
    """The commit with a `for` of these alerts that no other has."""
    files: dict[str, str] = {}
    for name, text in commit.rule_files.items():
        document = yaml.safe_load(text)
        for group in document["groups"]:
            for rule in group["rules"]:
                if rule.get("alert") in alerts:
                    rule["for"] = "11m"
        files[name] = yaml.safe_dump(document)
    return dataclasses.replace(commit, name="head", rule_files=files)


if __name__ == "__main__":
    sys.exit(main())
