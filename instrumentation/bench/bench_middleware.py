"""`bench-middleware`: tables of what instrumentation costs a FastAPI service (see middleware_costs.py for how)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from instrumentation.bench.middleware_costs import Cost, Memory

RATE = 100
"""Requests per second for which the share of a core is told."""
ADDED, P99 = 0.005, 1.0
"""The load test's criteria, in seconds; a request in a driver passes them a hundred times over."""


def bench_middleware(
    requests: Annotated[int, typer.Option(help="Requests to each variant.", min=1)] = 10_000,
) -> None:
    """Measure what instrumentation costs a request, and what its series cost in memory.

    The exit code is 1 unless ours costs less than each of its peers and adds no more than the load test allows.
    """
    # Only here: the other commands do not pay for FastAPI and three ways to instrument it.
    from instrumentation.bench import middleware_costs  # noqa: PLC0415

    console = Console(width=120)
    costs, memory = middleware_costs.costs(requests), middleware_costs.memory()
    console.print(_cost_table(costs))
    console.print(_memory_table(memory))
    failed = broken({one.name: one for one in costs}, {one.name: one for one in memory})
    for criterion in failed:
        console.print(f"FAILED: {criterion}")
    if failed:
        raise typer.Exit(1)


def broken(costs: "Mapping[str, Cost]", memory: "Mapping[str, Memory]") -> list[str]:
    """The criteria that do not hold for what was measured, by the variants' names."""
    from instrumentation.bench.middleware_costs import (  # noqa: PLC0415
        EVERYTHING,
        NONE,
        OPENTELEMETRY,
        OURS,
        PEERS,
    )

    none, ours = costs[NONE], costs[OURS]
    dearest = max(memory[OURS].per_thousand, memory[EVERYTHING].per_thousand)
    criteria = {
        f"the median that {OURS} adds is less than {ADDED * 1000:.0f} ms": ours.median - none.median < ADDED,
        f"the p99 of {OURS} is less than {P99:.0f} s": ours.p99 < P99,
    }
    everything, peer = costs[EVERYTHING], costs[OPENTELEMETRY]
    criteria |= {
        f"{EVERYTHING} adds less to the median than {OPENTELEMETRY}": everything.median < peer.median,
        f"{EVERYTHING} adds less CPU time than {OPENTELEMETRY}": everything.cpu < peer.cpu,
    }
    for peer in PEERS:
        criteria |= {
            f"{OURS} adds less to the median than {peer}": ours.median < costs[peer].median,
            f"{OURS} adds less CPU time than {peer}": ours.cpu < costs[peer].cpu,
            f"the series of {OURS}, with exemplars too, take less memory than those of {peer}": dearest
            < memory[peer].per_thousand,
        }
    return [criterion for criterion, holds in criteria.items() if not holds]


def _cost_table(found: "list[Cost]") -> Table:
    title = f"What instrumentation adds to a request, in µs of CPU time; share of one core at {RATE} requests/s"
    table = Table("instrumentation", "median", "added", "p99", "added", "CPU", "added", "share", title=title)
    none = found[0]
    for one in found:
        added = one.cpu - none.cpu
        pairs = ((one.median, one.median - none.median), (one.p99, one.p99 - none.p99), (one.cpu, added))
        figures = [f"{seconds * 1e6:.0f}" for pair in pairs for seconds in pair]
        table.add_row(one.name, *figures, f"{added * RATE:.2%}")
    return table


def _memory_table(found: "list[Memory]") -> Table:
    title = "Memory of the series, as many endpoints in each"
    table = Table("instrumentation", "series", "KiB", "KiB per 1,000 series", title=title)
    for one in found:
        table.add_row(one.name, str(one.series), f"{one.used / 1024:.0f}", f"{one.per_thousand / 1024:.1f}")
    return table
