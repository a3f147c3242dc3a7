"""Building blocks of the generated pages."""

from collections.abc import Iterable, Sequence

GENERATED = "<!-- Written by `make docs`; change what it is made from, not this file. -->"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; what a cell says may contain bars."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
