"""Support for several worker processes: each writes files of the client library, and the scraped process adds them up.

Active while PROMETHEUS_MULTIPROC_DIR names a folder, as in the client library itself. A request costs two writes to
mapped memory; the counters are not stored, but computed from the histogram. Exemplars are those of the process that
answers the scrape, because the files cannot contain them. What cannot be written to the files is kept in memory, and
exposed by the process that has it.
"""

import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from weakref import WeakSet

from prometheus_client import CollectorRegistry, values
from prometheus_client.core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from observability_fastapi import failures
from observability_fastapi.counting import folding
from observability_fastapi.counting.metrics import (
    DURATIONS,
    RECEIVED,
    SENT,
    Expose,
    Form,
    Labels,
    RequestMetrics,
    Row,
    Series,
)
from observability_fastapi.failures import FAILURES
from observability_fastapi.settings import InstrumentationError

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_ROOM = 4 << 20
"""Bytes that must be free before a series is added: on a full disk, a write to mapped memory ends the process."""


def folder() -> Path | None:
    """Folder of the processes' files; None with a single process. Raises InstrumentationError."""
    given = os.environ.get(FOLDER)
    if given is None:
        return None
    if not Path(given).is_dir():
        raise InstrumentationError(f"{FOLDER} is {given!r}; allowed: an existing folder, empty when the service starts")
    # The client library reads the variable only once, when it is imported.
    if not getattr(values.ValueClass, "_multiprocess", False):
        raise InstrumentationError(f"{FOLDER} was set after prometheus_client was imported; set it before that")
    return Path(given)


class SharedSeries(Series):
    """Counts of one combination of labels, stored in this process' file, and in memory for when the file is lost."""

    __slots__ = ("_file", "_in_file", "_shared")

    def __init__(self, labels: Labels, form: Form, files: Path) -> None:
        """Raises OSError if the file cannot be written."""
        super().__init__(labels, form.bounds)
        self._in_file: Row | None = None
        """What the file has, after a write has failed; None while everything is written."""
        status = os.statvfs(files)
        if status.f_bavail * status.f_frsize < _ROOM:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(files))
        name, about = form.name(DURATIONS), form.help(DURATIONS)
        self._shared = [
            values.ValueClass(
                "histogram", name, f"{name}_bucket", (*form.labels, "le"), (*labels, floatToGoString(bound)), about
            )
            for bound in form.bounds
        ]
        path = getattr(getattr(self._shared[0], "_file", None), "_fname", None)
        self._file = Path(path) if path else None
        self._shared.append(values.ValueClass("histogram", name, f"{name}_sum", form.labels, labels, about))
        for size in (RECEIVED, SENT) if form.sizes else ():
            name = form.name(size)
            self._shared.append(values.ValueClass("summary", name, f"{name}_sum", form.labels, labels, form.help(size)))

    def add(self, bucket: int, seconds: float, received: int = 0, sent: int = 0) -> None:
        """Count one request; sizes in bytes."""
        if self._in_file is None:
            try:
                self._shared[bucket].inc(1)
                for value, amount in zip(self._shared[len(self.buckets) :], (seconds, received, sent), strict=False):
                    value.inc(amount)
            except Exception as error:
                FAILURES.note("multiprocess", error)
                self._in_file = Row((), self.buckets[:], self.total, None, self.received, self.sent)
        super().add(bucket, seconds, received, sent)

    def outside(self) -> Row | None:
        """What is in no file; everything if the file has been removed. None if everything is in the file."""
        if self._file is not None and not self._file.exists():
            FAILURES.note("multiprocess", FileNotFoundError(str(self._file)))
            return super().outside()
        old = self._in_file
        if old is None:
            return None
        buckets = [now - then for now, then in zip(self.buckets, old.buckets, strict=True)]
        return Row((), buckets, self.total - old.total, None, self.received - old.received, self.sent - old.sent)


class Merged(Collector):
    """All metrics of all processes, including the service's own metrics."""

    def __init__(self, files: Path, own: RequestMetrics) -> None:
        """`files` is the folder of all files; `own` has this process' exemplars, and what it could not write."""
        self._files = files
        self._own = own

    def collect(self) -> Iterator[Metric]:
        """The families as the client library exposes them."""
        form, own = self._own.form, self._own.series()
        found = {family.name: family for family in self._read()}
        rows = {row.labels: row for row in _rows(found.pop(form.name(DURATIONS), None), form)}
        for size in (RECEIVED, SENT) if form.sizes else ():
            _add_size(rows, size, found.pop(form.name(size), None), form)
        for labels, series in own:
            unwritten = series.outside()
            if unwritten is not None:
                rows[labels] = _sum(labels, rows.get(labels), unwritten)
            if series.exemplars and labels in rows:
                rows[labels] = rows[labels]._replace(exemplars=series.exemplars.copy())
        yield failures.family(_failures(found.pop(failures.NAME, None)))
        yield from found.values()
        yield from self._own.expose(rows.values(), form)

    def _read(self) -> Iterable[Metric]:
        try:
            with folding.files(self._files) as files:
                try:
                    return MultiProcessCollector.merge([str(file) for file in files])
                except Exception:
                    return MultiProcessCollector.merge([str(file) for file in folding.readable(files)])
        except OSError as error:
            # The folder is gone or full. What can be read is served all the same.
            FAILURES.note("multiprocess", error)
            return MultiProcessCollector.merge([str(file) for file in folding.readable([*self._files.glob("*.db")])])


def _failures(family: Metric | None) -> dict[str, float]:
    """Part -> failures of all processes, and those of this one that it could not write."""
    counts: dict[str, float] = {**FAILURES.counts(shared=False)}
    for sample in family.samples if family else ():
        where = sample.labels["where"]
        counts[where] = counts.get(where, 0) + sample.value
    return counts


def _rows(family: Metric | None, form: Form) -> Iterator[Row]:
    """The series of the histogram, except those with other labels or buckets, of a process with other settings."""
    numbers = {floatToGoString(bound): number for number, bound in enumerate(form.bounds)}
    cumulative: dict[Labels, list[int]] = {}
    totals: dict[Labels, float] = {}
    for sample in family.samples if family else ():
        if not sample.labels.keys() >= set(form.labels):
            continue
        labels = tuple(sample.labels[name] for name in form.labels)
        if sample.name.endswith("_sum"):
            totals[labels] = sample.value
        elif (bound := sample.labels.get("le")) in numbers:
            cumulative.setdefault(labels, [0] * len(numbers))[numbers[bound]] = int(sample.value)
    for labels, counts in cumulative.items():
        buckets = [now - before for now, before in zip(counts, (0, *counts), strict=False)]
        yield Row(labels, buckets, totals.get(labels, 0.0))


def _add_size(rows: dict[Labels, Row], size: str, family: Metric | None, form: Form) -> None:
    field = "received" if size == RECEIVED else "sent"
    for sample in family.samples if family else ():
        labels = tuple(sample.labels.get(name, "") for name in form.labels)
        if labels in rows:
            rows[labels] = rows[labels]._replace(**{field: int(sample.value)})


def _sum(labels: Labels, old: Row | None, new: Row) -> Row:
    if old is None:
        return new._replace(labels=labels)
    buckets = [one + other for one, other in zip(old.buckets, new.buckets, strict=True)]
    sizes = (old.received + new.received, old.sent + new.sent)
    return Row(labels, buckets, old.total + new.total, None, *sizes)


_shared: WeakSet[RequestMetrics] = WeakSet()


def _forget() -> None:
    """In a process that was forked, after the server has loaded the application: the counts are those of its parent."""
    for one in list(_shared):
        one.forget()


os.register_at_fork(after_in_child=_forget)


def metrics(files: Path, form: Form, expose: Expose, reserve: CollectorRegistry) -> RequestMetrics:
    """Metrics stored in this process' file; in the registry `reserve` they only reserve their names."""

    def make(labels: Labels, _bounds: Sequence[float]) -> Series:
        try:
            return SharedSeries(labels, form, files)
        except Exception as error:
            FAILURES.note("multiprocess", error)
            return Series(labels, form.bounds)

    FAILURES.share()
    made = RequestMetrics(reserve, form, make=make, expose=expose, collects=False)
    _shared.add(made)
    return made


def registry(files: Path, own: RequestMetrics) -> CollectorRegistry:
    """A registry with the metrics of all processes."""
    made = CollectorRegistry()
    made.register(Merged(files, own))
    return made
