"""`python -m tools.mutation`: makes small mistakes in every rule and route, and counts those that the tests notice.

Exit code 1 if they notice fewer than 95 %, 130 if interrupted.
"""

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

import httpx
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from alerting.model import LogRule
from local.paths import STATE
from tools.mutation import equivalent, routes
from tools.mutation.equivalent import Known
from tools.mutation.mutants import Mutant
from tools.mutation.rules import PART as METRICS
from tools.mutation.rules import Rules
from tools.mutation.rules import run as run_rules

SHARE = 0.95
"""Share of the mistakes with an effect that the tests must notice."""
LOGS = "log alerts"
PARTS = {"metrics": METRICS, "logs": LOGS, "routing": routes.ROUTING, "muting": routes.MUTING}
REPORT = STATE / "mutants.json"


@dataclass
class Result:
    """The results so far."""

    outcomes: list[tuple[str, Mutant, bool]] = field(default_factory=list[tuple[str, Mutant, bool]])
    """Part, mistake, and whether it was noticed."""
    complete: set[str] = field(default_factory=set[str])
    """Alerts, routes and so on for which all mistakes were tried."""
    interrupted: bool = False
    problems: list[str] = field(default_factory=list[str])
    """Why a part was not finished, one line each."""


def main(arguments: Sequence[str]) -> int:
    """Try the selected mistakes and print the results. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutation", description=__doc__)
    parser.add_argument("--alert", action="append", help="only mistakes in this alert; may be repeated")
    parser.add_argument("--part", action="append", choices=PARTS, help="only this part; may be repeated")
    parser.add_argument("--jobs", type=int, default=2, help="number of promtool processes at the same time")
    options = parser.parse_args(arguments)
    if options.jobs < 1:
        parser.error(f"--jobs {options.jobs}: must be 1 or more")
    from alerting import loader  # noqa: PLC0415 -- importing takes a moment, which wrong usage need not wait for

    known = loader.load().rules()
    if unknown := set(options.alert or ()) - set(known):
        parser.error(f"unknown alert {', '.join(sorted(unknown))}; known: {', '.join(known)}")
    chosen = options.alert or list(known)
    work = {
        METRICS: [name for name in chosen if not isinstance(known[name], LogRule)],
        LOGS: [name for name in chosen if isinstance(known[name], LogRule)],
        routes.ROUTING: [] if options.alert else ["all"],
        routes.MUTING: [] if options.alert else ["all"],
    }
    parts = [part for key, part in PARTS.items() if work[part] and key in (options.part or PARTS)]
    console = Console()
    console = console if console.is_terminal else Console(width=160)
    begun = time.monotonic()
    result = _run(console, parts, work, options.jobs)
    return _report(console, result, equivalent.read(), time.monotonic() - begun)


def _run(console: Console, parts: Sequence[str], work: dict[str, list[str]], jobs: int) -> Result:
    result = Result()
    columns = (TextColumn("mutants"), MofNCompleteColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("reading", total=None)

        def tick(part: str, mutant: Mutant, killed: bool) -> None:
            result.outcomes.append((part, mutant, killed))
            survived = sum(not one for _, _, one in result.outcomes)
            progress.update(task, advance=1, description=f"{survived} survived; {part}: {mutant.about}")
            if not console.is_terminal and len(result.outcomes) % 100 == 0:
                console.print(f"{len(result.outcomes)} mutants, {survived} survived")

        try:
            for part in parts:
                progress.update(task, description=f"{part}: starting")
                try:
                    _run_part(part, work[part], jobs, partial(tick, part))
                except (RuntimeError, httpx.HTTPError) as problem:
                    # The other parts may have taken half an hour.
                    result.problems.append(f"{part}: not finished: {problem}")
                    continue
                result.complete |= {*work[part], *(mutant.about for one, mutant, _ in result.outcomes if one == part)}
        except KeyboardInterrupt:
            result.interrupted = True
    return result


def _run_part(part: str, names: list[str], jobs: int, tick: Callable[[Mutant, bool], None]) -> None:
    if part == METRICS:
        run_rules(Rules(), names, jobs, tick)
    elif part == LOGS:
        from tools.mutation import logs  # noqa: PLC0415 -- imports the modules that start a Loki

        logs.run(names, tick)
    else:
        routes.run([part], lambda _part, mutant, noticed: tick(mutant, noticed))


def _report(console: Console, result: Result, known: Known, seconds: float) -> int:
    table = Table(title="Mistakes that the tests notice")
    columns = ("part", "mutants", "killed", "equivalent by reasoning", "survived", "share")
    for column in columns:
        table.add_column(column, justify="left" if column == "part" else "right")
    rows = [_Count.of(part, result, known) for part in dict.fromkeys(part for part, _, _ in result.outcomes)]
    total = _Count("all", *(sum(getattr(row, name) for row in rows) for name in ("mutants", "killed", "equivalent")))
    for row in (*rows, total):
        table.add_row(*row.cells())
    console.print(table)
    survivors = [one for one in result.outcomes if not one[2] and one[1].what not in known.get(one[1].about, {})]
    for part, mutant, _ in survivors:
        console.print(f"SURVIVED {part}: {mutant.about}: {mutant.what}", soft_wrap=True, highlight=False, markup=False)
    wrong = [*result.problems, *equivalent.problems(known, _pairs(result), complete=result.complete)]
    for line in wrong:
        console.print(line, soft_wrap=True, highlight=False, markup=False)
    console.print(
        f"{total.killed} of {total.mutants - total.equivalent} mutants killed ({total.share:.1%}; at least "
        f"{SHARE:.0%}), equivalent by reasoning: {total.equivalent}, in {seconds:.0f} s.",
        soft_wrap=True,
    )
    REPORT.parent.mkdir(exist_ok=True)
    document = {
        "interrupted": result.interrupted,
        "seconds": round(seconds),
        "parts": {row.part: {**vars(row), "share": round(row.share, 4)} for row in (*rows, total)},
        "survived": [{"part": part, "in": one.about, "mistake": one.what} for part, one, _ in survivors],
    }
    REPORT.write_text(json.dumps(document, indent=2) + "\n")
    if result.interrupted:
        console.print("Interrupted: the numbers include only the mutants so far.")
        return 130
    return 0 if total.share >= SHARE and not wrong else 1


@dataclass
class _Count:
    part: str
    mutants: int
    killed: int
    equivalent: int

    @staticmethod
    def of(part: str, result: Result, known: Known) -> "_Count":
        mine = [(mutant, killed) for one, mutant, killed in result.outcomes if one == part]
        same = sum(not killed and mutant.what in known.get(mutant.about, {}) for mutant, killed in mine)
        return _Count(part, len(mine), sum(killed for _, killed in mine), same)

    @property
    def share(self) -> float:
        wanted = self.mutants - self.equivalent
        return self.killed / wanted if wanted else 0.0

    def cells(self) -> list[str]:
        survived = self.mutants - self.killed - self.equivalent
        numbers = (self.mutants, self.killed, self.equivalent or "", survived or "")
        return [self.part, *map(str, numbers), f"{self.share:.1%}"]


def _pairs(result: Result) -> Iterable[tuple[Mutant, bool]]:
    return [(mutant, killed) for _, mutant, killed in result.outcomes]


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main(sys.argv[1:]))
