"""`bench-middleware`: tables of what instrumentation costs a FastAPI service (see middleware_costs.py for how)."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from ops.middleware_costs import Cost, Memory

RATE = 100
"""Requests per second for which the share of a core is told."""


def bench_middleware(
    requests: Annotated[int, typer.Option(help="Requests to each variant.", min=1)] = 10_000,
) -> None:
    """Measure what instrumentation costs a request, and what its series cost in memory."""
    # Only here: the other commands do not pay for FastAPI and three ways to instrument it.
    from ops import middleware_costs  # noqa: PLC0415

    console = Console(width=120)
    console.print(_cost_table(middleware_costs.costs(requests)))
    console.print(_memory_table(middleware_costs.memory()))


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
