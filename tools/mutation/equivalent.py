"""Mistakes that no test can notice, because the result is equivalent; each with its reason."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from alerting.files import read_yaml
from tools.mutation.mutants import Mutant

FILE = Path(__file__).with_name("equivalent.yaml")
Known = Mapping[str, Mapping[str, str]]
"""Alert, series or route -> mistake in it -> reason why no test can notice it."""


def read(file: Path = FILE) -> Known:
    """The committed list. Raises ValueError for an entry without a reason."""
    found = cast(dict[str, Any], read_yaml(file, file.name) or {})
    for about, entries in found.items():
        if not isinstance(entries, dict):
            raise ValueError(  # noqa: TRY004 -- a wrong value in a file, like all other problems
                f"{file.name}: {about}: {entries!r}: must be a mapping from mistakes to reasons"
            )
        for what, reason in entries.items():
            if not isinstance(reason, str) or not reason.strip():
                raise ValueError(f"{file.name}: {about}: {what}: {reason!r}: must be a reason")
    return found


def problems(known: Known, outcomes: Iterable[tuple[Mutant, bool]], *, complete: Iterable[str]) -> list[str]:
    """Wrong entries: mistakes that a test notices, and mistakes that no longer exist in subjects in `complete`."""
    tried = {(mutant.about, mutant.what): killed for mutant, killed in outcomes}
    found: list[str] = []
    subjects = set(complete)
    for about, entries in known.items():
        for what in entries:
            if tried.get((about, what)):
                found.append(f"{FILE.name}: {about}: {what}: is noticed by a test, so it is not equivalent")
            elif (about, what) not in tried and about in subjects:
                found.append(f"{FILE.name}: {about}: {what}: this mistake no longer exists")
    return found
