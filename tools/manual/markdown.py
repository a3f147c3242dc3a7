"""Building blocks of the generated pages."""

from collections.abc import Iterable, Sequence

GENERATED = "<!-- Written by `make generate`: change its sources, not this file. -->"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table. Bars in a cell are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
