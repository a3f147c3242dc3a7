"""The number of tests of each alert, committed in ledger.yaml, so that the diff shows when a test is removed."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

from alerting.files import read_yaml

FILE = Path(__file__).with_name("ledger.yaml")
COMMAND = "make coverage ARGS=--write"
_HEAD = f"""\
# Number of scenarios, checks, route cases and faults; written by `{COMMAND}`.
# A smaller number means that a proof was removed.
"""

Counts = Mapping[str, Mapping[str, int]]


def read() -> Counts:
    """The committed numbers; empty if the file does not exist."""
    return cast(Counts, read_yaml(FILE, FILE.name)) if FILE.is_file() else {}


def write(counts: Counts) -> None:
    """Write these numbers to the file."""
    lines = [f"{about}: {{{', '.join(f'{what}: {n}' for what, n in one.items())}}}" for about, one in counts.items()]
    FILE.write_text(_HEAD + "\n".join(lines) + "\n", encoding="utf-8")


def differences(committed: Counts, found: Counts) -> Iterator[str]:
    """The differences between the committed and the actual numbers, one line each."""
    for about in dict.fromkeys([*committed, *found]):
        before, now = committed.get(about, {}), found.get(about, {})
        for what in dict.fromkeys([*before, *now]):
            if before.get(what, 0) != now.get(what, 0):
                yield (
                    f"{about}: {now.get(what, 0)} {what}, not {before.get(what, 0)} as in tools/coverage/ledger.yaml; "
                    f"if this is intended, run: {COMMAND}"
                )
