"""`python -m tools.bench_rules`: what the evaluation of each group of rules costs, and what it cost at another commit.

The series are those of the rules' scenarios, in many pods. A Prometheus on loopback evaluates each rule in
`rules/rendered` of both commits at the same instant. A group's time is the sum of its rules' medians.
"""

import argparse
import re
import statistics
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import yaml

from alerting.files import ROOT
from ops.errors import OpsError
from ops.review import commits
from tools.bench_replay import recorded_prometheus
from tools.rule_tests import FOLDER

_RENDERED = "rules/rendered/production/prometheus"
STEP = 30
"""Seconds between two samples."""
PAST = 3600
"""Seconds of data. Windows of hours read no more than these."""
_COUNTER = re.compile(r"(?:_total|_count|_sum|_bucket)\{")
TARGETS = 500
"""Most series `up`: a target has some hundred other series."""
_MANY = ("pod", "node", "persistentvolumeclaim", "instance")
"""Labels of which a large cluster has many values, the most usual first."""
Files = Mapping[str, str]
"""Name of a rule file -> its text."""
Times = dict[str, float]
"""Group -> milliseconds."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench_rules", description=__doc__)
    parser.add_argument("--base", help="a commit to compare with")
    parser.add_argument("--series", type=int, default=100_000, help="number of series; default: 100000")
    parser.add_argument("--rounds", type=int, default=5, help="evaluations of each rule; default: 5")
    chosen = parser.parse_args(arguments)
    base = committed(chosen.base) if chosen.base else {}
    head = committed(commits.CHECKOUT)
    until = int(time.time())
    with TemporaryDirectory(prefix="bench-") as name, ExitStack() as running:
        folder = Path(name)
        series = multiplied(scenario_series(), chosen.series)
        with (folder / "recorded.txt").open("w") as out:
            out.writelines(samples(series, until))
        _, url = recorded_prometheus(folder, running)
        measured(url, head, until, 1)  # reads the blocks from disk
        before, after = (measured(url, files, until, chosen.rounds) for files in (base, head))
    print(f"{len(series)} series; milliseconds of an evaluation")
    print(f"{'group':<44}{'before':>9}{'after':>9}{'ratio':>7}")
    for group in sorted({*before, *after}, key=lambda one: -after.get(one, 0)):
        print(row(group, before.get(group), after.get(group)))
    print(row("all", sum(before.values()) or None, sum(after.values())))
    both = before.keys() & after.keys()
    if both:
        print(row("groups of both", sum(before[one] for one in both), sum(after[one] for one in both)))
    return 0


def row(name: str, before: float | None, after: float | None) -> str:
    """A line of the table; a group that one of the commits lacks has no ratio."""
    figures = "".join("        -" if one is None else f"{one:>9.1f}" for one in (before, after))
    return f"{name:<44}{figures}" + (f"{after / before:>7.2f}" if before and after else "      -")


def committed(revision: str) -> dict[str, str]:
    """The rule files of a commit or of the checkout. Raises SystemExit for an unknown commit, and for one without."""
    try:
        with commits.files(ROOT, revision) as root:
            found = {file.name: file.read_text() for file in sorted((root / _RENDERED).glob("*"))}
    except OpsError as error:
        raise SystemExit(f"--base {revision}: {error}") from error
    if not found:
        raise SystemExit(f"--base {revision}: this commit has no {_RENDERED}")
    return found


def scenario_series() -> list[str]:
    """Every series of the scenarios, once."""
    documents = (yaml.safe_load(file.read_text()) for file in sorted(FOLDER.glob("*.test.yaml")))
    every = (one["series"] for document in documents for test in document["tests"] for one in test["input_series"])
    # OpenMetrics has no blanks between labels.
    return list(dict.fromkeys(re.sub(r'", +', '",', one) for one in every if "{" in one))


def multiplied(series: list[str], wanted: int) -> list[str]:
    """The series, and copies of them in further pods, nodes, volumes or instances, until there are `wanted`."""
    found = list(series)
    targets = sum(one.startswith("up{") for one in series)
    copy = 0
    while len(found) < wanted:
        copy += 1
        for one in series:
            label = next((name for name in _MANY if f'{name}="' in one), None)
            if one.startswith("up{"):
                targets += 1
                label = label if targets <= TARGETS else None
            if label:
                found.append(re.sub(rf'\b{label}="', f'{label}="c{copy}-', one, count=1))
    return found[:wanted]


def samples(series: list[str], until: int) -> Iterator[str]:
    """Lines of OpenMetrics: counters grow by one each step, all others are 1."""
    times = range(until - PAST, until + 1, STEP)
    for one in series:
        grows = _COUNTER.search(one)
        yield "".join(f"{one} {index if grows else 1} {at}\n" for index, at in enumerate(times))
    yield "# EOF\n"


def measured(url: str, files: Files, at: int, rounds: int) -> Times:
    """Milliseconds of an evaluation of each group at the time `at`, without the series that other rules record."""
    found: Times = {}
    for text in files.values():
        for group in yaml.safe_load(text)["groups"]:
            found[group["name"]] = sum(
                statistics.median(_milliseconds(url, rule["expr"], at) for _ in range(rounds))
                for rule in group["rules"]
            )
    return found


def _milliseconds(url: str, expression: str, at: int) -> float:
    asked = {"query": expression, "time": at, "stats": "all"}
    answer = httpx.post(f"{url}/api/v1/query", data=asked, timeout=120).json()
    if answer["status"] != "success":
        raise SystemExit(f"a rule cannot be evaluated: {answer['error']}")
    return answer["data"]["stats"]["timings"]["execTotalTime"] * 1000


if __name__ == "__main__":
    sys.exit(main())
