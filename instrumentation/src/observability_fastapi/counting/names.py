"""A limited number of names for one label; the worker processes of a service name the same ones."""

import fcntl
from collections.abc import Collection
from pathlib import Path
from threading import Lock

from observability_fastapi.failures import FAILURES

OTHER = "other"
"""Label of names that came after the limit."""


class Names:
    """Names in the order in which they appear, up to a limit."""

    def __init__(self, most: int, *, only: Collection[str] | None = None, file: Path | None = None) -> None:
        """Takes the names in `only`, or without it the first `most`. `file` has the names of all processes."""
        self._lock = Lock()
        self._known = dict.fromkeys(only or ())
        self._most = len(self._known) if only is not None else most
        self._file = file if only is None else None

    def label(self, name: str) -> str:
        """`name` if it is one of the names, otherwise `other`."""
        if name in self._known:
            return name
        if len(self._known) >= self._most:
            return OTHER
        with self._lock:
            if len(self._known) < self._most:
                self._add(name)
        return name if name in self._known else OTHER

    def _add(self, name: str) -> None:
        if self._file is not None:
            try:
                self._share(self._file, name)
            except OSError as error:
                # The folder is gone or full: names of this process are still limited.
                FAILURES.note("names", error)
            else:
                return
        self._known[name] = None

    def _share(self, file: Path, name: str) -> None:
        """Read what all processes have named, and add `name` if there is room; one process at a time."""
        with file.open("a+", encoding="utf-8") as opened:
            fcntl.flock(opened, fcntl.LOCK_EX)
            opened.seek(0)
            for known in opened.read().splitlines()[: self._most]:
                self._known[known] = None
            if name not in self._known and len(self._known) < self._most:
                opened.write(f"{name}\n")
                self._known[name] = None
