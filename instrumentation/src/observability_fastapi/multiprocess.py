"""Support for several worker processes: each writes a file of the client library, and the scraped process adds them up.

Active while PROMETHEUS_MULTIPROC_DIR names a folder, as in the client library itself. A request costs two writes to
mapped memory; the counters are not stored, but computed from the histogram. Exemplars are those of the process that
answers the scrape, because the files cannot contain them.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry, values
from prometheus_client.core import Metric, UnknownMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample
from prometheus_client.utils import floatToGoString

from observability_fastapi.metrics import (
    DURATIONS,
    HELP,
    LABELS,
    REQUESTS,
    RESPONSES,
    Labels,
    RequestMetrics,
    Seen,
    Series,
)
from observability_fastapi.settings import InstrumentationError

FOLDER = "PROMETHEUS_MULTIPROC_DIR"


def folder() -> str | None:
    """Folder of the processes' files; None with a single process. Raises InstrumentationError."""
    given = os.environ.get(FOLDER)
    if given is None:
        return None
    if not Path(given).is_dir():
        raise InstrumentationError(f"{FOLDER} is {given!r}; allowed: an existing folder, empty when the service starts")
    # The client library reads the variable only once, when it is imported.
    if not getattr(values.ValueClass, "_multiprocess", False):
        raise InstrumentationError(f"{FOLDER} was set after prometheus_client was imported; set it before that")
    return given


class SharedSeries(Series):
    """Counts of one combination of labels, stored in this process' file."""

    __slots__ = ("_shared", "_sum")

    def __init__(self, labels: Labels, bounds: Sequence[float]) -> None:
        super().__init__(labels, ())
        about = HELP[DURATIONS]
        self._sum = values.ValueClass("histogram", DURATIONS, f"{DURATIONS}_sum", LABELS, labels, about)
        self._shared = [
            values.ValueClass(
                "histogram", DURATIONS, f"{DURATIONS}_bucket", (*LABELS, "le"), (*labels, floatToGoString(bound)), about
            )
            for bound in bounds
        ]

    def add(self, bucket: int, seconds: float) -> None:
        """Count one request."""
        self._shared[bucket].inc(1)
        self._sum.inc(seconds)


class Merged(Collector):
    """All metrics of all processes, including the service's own metrics."""

    def __init__(self, files: str, own: RequestMetrics) -> None:
        """`files` is the folder of all files; `own` has this process' exemplars."""
        self._files = files
        self._own = own

    def collect(self) -> Iterator[Metric]:
        """The families as the client library exposes them."""
        for family in MultiProcessCollector.merge([str(file) for file in Path(self._files).glob("*.db")]):
            if family.name != DURATIONS:
                yield family
                continue
            for name in (REQUESTS, RESPONSES):
                counts = UnknownMetricFamily(name, HELP[name])
                counts.samples = [
                    sample._replace(name=name) for sample in family.samples if sample.name == f"{DURATIONS}_count"
                ]
                yield counts
            own = self._exemplars()
            family.samples = [_with_exemplar(sample, own) for sample in family.samples]
            yield family

    def _exemplars(self) -> dict[tuple[str, ...], Seen]:
        """Labels and bound of a bucket -> this process' exemplar."""
        names = [floatToGoString(bound) for bound in self._own.bounds]
        return {
            (*row.labels, name): seen
            for row in self._own.rows()
            for name, seen in zip(names, row.exemplars or (), strict=False)
            if seen
        }


def _with_exemplar(sample: Sample, own: dict[tuple[str, ...], Seen]) -> Sample:
    bound = sample.labels.get("le")
    seen = own.get((*(sample.labels[label] for label in LABELS), bound)) if bound else None
    return sample._replace(exemplar=seen.exemplar()) if seen else sample


def metrics(buckets: Sequence[float]) -> RequestMetrics:
    """Metrics stored in this process' file. They are in no registry, because scrapes read the files."""
    return RequestMetrics(None, buckets, make=SharedSeries)


def registry(files: str, own: RequestMetrics) -> CollectorRegistry:
    """A registry with the metrics of all processes."""
    made = CollectorRegistry()
    made.register(Merged(files, own))
    return made
