"""Reads commands and names in code from the manual's pages."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.mock_engine import ROOT

GENERATED = {"settings.md", "runbooks.md"}
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    ROOT / "instrumentation/README.md",
    ROOT / "tests/observability/README.md",
    *(page for page in sorted((ROOT / "docs").glob("*.md")) if page.name not in GENERATED),
    *sorted((ROOT / "docs/adr").glob("*.md")),
]
_BLOCK = re.compile(r"(?:^|\n\n)((?: {4}.*\n)+)")
_FENCE = re.compile(r"^```(?:sh|bash|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_COMMAND = re.compile(r"^(?:[A-Z_]+=\S+ )*(make|pulumi|kubectl|curl|aws|cp|pip|\.venv/bin/python)\b")


def commands(page: Path) -> Iterator[str]:
    """Every command of a page, without its comment. In running text, only `make` commands count."""
    text = page.read_text()
    for block in (*_BLOCK.findall(text), *_FENCE.findall(text)):
        for line in block.splitlines():
            plain = re.sub(r"\s{2,}#.*$", "", line.strip())
            yield from (part.strip() for part in plain.split(" && ") if _COMMAND.match(part.strip()))
    yield from (code for code in _CODE.findall(_FENCE.sub("", text)) if re.match(r"([A-Z_]+=\S+ )*make ", code))


def names(page: Path) -> set[str]:
    """All words in code format in running text."""
    return set(_CODE.findall(_FENCE.sub("", page.read_text())))


def targets(command: str) -> list[str]:
    """The targets of a `make` command."""
    words = command.split("make ", 1)[1] if "make " in command else ""
    plain = re.sub(r'[A-Z_]+=("[^"]*"|\S+)', "", words)
    return [word for word in plain.split() if re.fullmatch(r"[a-z][a-z0-9-]*", word)]
