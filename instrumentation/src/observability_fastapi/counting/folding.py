"""Adds up the files of ended worker processes, so that a scrape costs no more after a thousand restarts.

The files are those of the Prometheus client library. Those of ended processes are first renamed, so that a new process
with the same id starts a file of its own; then added up in a new file; then replaced by it. A journal makes the last
step one: a process that is killed within it leaves a journal, which the next one completes.
"""

import fcntl
import json
import os
import struct
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from prometheus_client.mmap_dict import MmapedDict

from observability_fastapi.failures import FAILURES

_JOURNAL = "folding.json"
_LOCK = "folding.lock"
_DEAD = ".dead"
_UNREADABLE = ".unreadable"
_FOLDED = "folded"
"""In a file's name where other files have the id of their process."""

_Value = tuple[float, float]
"""Value, and seconds since the epoch for gauges that keep the most recent one."""
_ADD: dict[str, Callable[[_Value, _Value], _Value]] = {
    "counter": lambda old, new: (old[0] + new[0], 0.0),
    "histogram": lambda old, new: (old[0] + new[0], 0.0),
    "summary": lambda old, new: (old[0] + new[0], 0.0),
    "gauge_sum": lambda old, new: (old[0] + new[0], 0.0),
    "gauge_min": min,
    "gauge_max": max,
    "gauge_mostrecent": lambda old, new: new if new[1] > old[1] else old,
}
"""Kind of file -> how two values of one series become one. Gauges of kind `all` stay: a series belongs to a process."""


@contextmanager
def files(folder: Path) -> Generator[list[Path]]:
    """The files that hold every value once, while the block runs; those of ended processes are added up before.

    Raises OSError if the folder is gone.
    """
    with (folder / _LOCK).open("ab") as lock:
        try:
            _fold(folder, lock)
        except OSError as error:
            FAILURES.note("folding", error)
        # Nobody adds up files while others read them.
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield [*sorted(folder.glob("*.db")), *sorted(folder.glob(f"*{_DEAD}"))]


def readable(found: list[Path]) -> list[Path]:
    """Those of the files that can be read; the others are noted."""
    return [file for file in found if _values(file) is not None]


def _fold(folder: Path, lock: BinaryIO) -> None:
    if not _is_needed(folder):
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return  # another process reads or folds; the next scrape will do
    _complete(folder)
    for file in _of_ended(folder):
        _retire(file)
    kinds: dict[str, list[Path]] = {}
    for file in sorted(folder.glob(f"*{_DEAD}")):
        kinds.setdefault(_kind_and_process(file.name)[0], []).append(file)
    for kind, dead in kinds.items():
        _add_up(folder, kind, dead)


def _is_needed(folder: Path) -> bool:
    return (folder / _JOURNAL).exists() or any(folder.glob(f"*{_DEAD}")) or any(_of_ended(folder))


def _of_ended(folder: Path) -> Iterator[Path]:
    for file in folder.glob("*.db"):
        kind, process = _kind_and_process(file.name)
        if process.isdigit() and not _is_alive(int(process)) and (kind in _ADD or kind.startswith("gauge_live")):
            yield file


def _kind_and_process(name: str) -> tuple[str, str]:
    kind, _, process = name.split(".", maxsplit=1)[0].rpartition("_")
    return kind, process


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # of another user
    return True


def _retire(file: Path) -> None:
    kind, process = _kind_and_process(file.name)
    if kind not in _ADD:
        file.unlink(missing_ok=True)  # a gauge of running processes
        return
    retired = file.with_name(f"{file.name}.{os.urandom(4).hex()}{_DEAD}")
    file.rename(retired)
    if _is_alive(int(process)) and not file.exists():
        # A new process has taken the id meanwhile, and may have opened the file.
        retired.rename(file)


def _add_up(folder: Path, kind: str, dead: list[Path]) -> None:
    total: dict[str, _Value] = {}
    target = folder / f"{kind}_{_FOLDED}.db"
    merged: list[Path] = []
    for file in [*([target] if target.exists() else []), *dead]:
        found = _values(file)
        if found is None:
            file.rename(file.with_name(f"{file.name}{_UNREADABLE}"))
            continue
        merged.append(file)
        for key, value in found.items():
            total[key] = _ADD[kind](total[key], value) if key in total else value
    prepared = folder / f"{kind}_{_FOLDED}.new"
    prepared.write_bytes(_encoded(total))
    _write_journal(folder, {"new": prepared.name, "target": target.name, "remove": [one.name for one in merged]})
    _complete(folder)


def _encoded(series: dict[str, _Value]) -> bytes:
    """A file of the client library. Not written by its own class: on a full disk, mapped memory ends the process."""
    rows: list[bytes] = []
    for key, value in series.items():
        name = key.encode()
        name += b" " * (8 - (len(name) + 4) % 8)
        rows.append(struct.pack(f"i{len(name)}sdd", len(key.encode()), name, *value))
    content = b"".join(rows)
    return struct.pack("ii", 8 + len(content), 0) + content


def _write_journal(folder: Path, content: dict[str, str | list[str]]) -> None:
    prepared = folder / f"{_JOURNAL}.new"
    prepared.write_text(json.dumps(content))
    prepared.rename(folder / _JOURNAL)


def _complete(folder: Path) -> None:
    """Replace the files that the journal lists by the new one; again, if a process was killed within."""
    journal = folder / _JOURNAL
    if not journal.exists():
        return
    content = json.loads(journal.read_text())
    with suppress(FileNotFoundError):
        (folder / content["new"]).rename(folder / content["target"])
    for name in content["remove"]:
        if name != content["target"]:
            (folder / name).unlink(missing_ok=True)
    journal.unlink()


def _values(file: Path) -> dict[str, _Value] | None:
    """The series of a file; None, with a note, if it cannot be read: a process may end before it has written any."""
    try:
        # Damaged lengths may lead back to what was read before; a series takes 32 bytes at least.
        most = file.stat().st_size // 32 + 1
        rows = list(islice(MmapedDict.read_all_values_from_file(str(file)), most + 1))
        if len(rows) > most or not all(_is_key(row[0]) for row in rows):
            raise ValueError(f"{file} is damaged")  # noqa: TRY301 - noted below like the client library's errors
        return {key: (value, at) for key, value, at, _ in rows}
    except Exception as error:
        FAILURES.note("multiprocess file", error, file=str(file))
        return None


@lru_cache(maxsize=10_000)
def _is_key(text: str) -> bool:
    """Whether the client library can read a key: name of the metric, of the series, labels, help text."""
    match json.loads(text):
        case [str(), str(), dict(), str()]:
            return True
        case _:
            return False
