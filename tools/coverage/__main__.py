"""`python -m tools.coverage`: lists the proofs of each alert as a table. Exit code 1 if a proof is missing."""

import sys

from rich.console import Console
from rich.table import Table

from tools.coverage import evidence, ledger
from tools.coverage.evidence import EXEMPT, ProofKind


def main(arguments: list[str]) -> int:
    """Print the table; with --write, first update the ledger. Returns the exit code."""
    if arguments not in ([], ["--write"]):
        print("usage: python -m tools.coverage [--write]", file=sys.stderr)
        return 2
    sources = evidence.collect()
    counts = evidence.counts(sources)
    if arguments:
        ledger.write(counts)
    console = Console()
    console = console if console.is_terminal else Console(width=160)
    table, proved, wanted = _table(sources)
    console.print(table)
    missing = [*evidence.gaps(sources), *ledger.differences(ledger.read(), counts)]
    for line in missing:
        console.print(f"MISSING {line}", soft_wrap=True, highlight=False)
    muting = len(sources.routing.inhibitions) + len(sources.routing.mute_windows)
    console.print(
        f"{len(sources.rules)} alerts: {proved} of {wanted} proofs ({proved / wanted:.1%}); "
        f"{len(sources.routing.channels)} channels and {len(sources.routing.routes)} routes in {len(sources.routes)} "
        f"cases; {muting} inhibitions and mute windows in {len(sources.muting)} cases; {len(missing)} gaps."
    )
    return 1 if missing else 0


def _table(sources: evidence.Sources) -> tuple[Table, int, int]:
    """The table, the number of existing proofs, and the number of required ones."""
    table = Table(title="Proofs of each alert (number of tests)")
    table.add_column("alert", no_wrap=True)
    table.add_column("system", no_wrap=True)
    for kind in ProofKind:
        table.add_column(kind.value, justify="right")
    proved = wanted = 0
    for alert, kinds in evidence.proofs(sources).items():
        cells: list[str] = []
        for kind, where in kinds.items():
            exempt = kind in EXEMPT.get(alert, ())
            proved += bool(where) and not exempt
            wanted += not exempt
            cells.append("always" if exempt else str(len(where)) if where else "[red]none[/red]")
        table.add_row(alert, sources.rules[alert].labels.system, *cells)
    return table, proved, wanted


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
