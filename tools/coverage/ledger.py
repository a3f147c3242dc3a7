"""How many tests each alert has, committed in ledger.yaml: taking one away shows, and has to be said in the diff."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

from alerting.files import read_yaml

FILE = Path(__file__).with_name("ledger.yaml")
COMMAND = "make coverage ARGS=--write"
_HEAD = f"""\
# How many scenarios, checks, route cases and faults there are; written by `{COMMAND}`.
# A number that shrinks is a proof that somebody took away.
"""

Counts = Mapping[str, Mapping[str, int]]


def read() -> Counts:
    """What is committed."""
    return cast(Counts, read_yaml(FILE, FILE.name)) if FILE.is_file() else {}


def write(counts: Counts) -> None:
    """Commit these numbers to the file."""
    lines = [f"{about}: {{{', '.join(f'{what}: {n}' for what, n in one.items())}}}" for about, one in counts.items()]
    FILE.write_text(_HEAD + "\n".join(lines) + "\n", encoding="utf-8")


def differences(committed: Counts, found: Counts) -> Iterator[str]:
    """Where tests went or came since the numbers were committed, one line each."""
    for about in dict.fromkeys([*committed, *found]):
        before, now = committed.get(about, {}), found.get(about, {})
        for what in dict.fromkeys([*before, *now]):
            if before.get(what, 0) != now.get(what, 0):
                yield (
                    f"{about}: {now.get(what, 0)} {what}, not {before.get(what, 0)} as in tools/coverage/ledger.yaml; "
                    f"if that is on purpose: {COMMAND}"
                )
