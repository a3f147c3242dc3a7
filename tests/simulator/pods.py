"""Simulated pods under a clock that the test moves, and the samples that Prometheus would have scraped."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from fastapi import FastAPI
from opentelemetry import trace

from simulator.engine.app import Measured
from simulator.engine.faults import Fault, Switchboard
from simulator.engine.request_metrics import RequestMetrics
from simulator.engine.runs import Step
from simulator.engine.tracing import Tracing
from simulator.engine.workload import Workload
from simulator.systems import (
    api,
    job_queue,
    media_clustering,
    media_runs,
    media_upload,
    media_upload_faults,
    series_files,
    speccursor,
    speccursor_metrics,
)

STEP = 30
"""Seconds between scrapes, and between evaluations."""
EPOCH = 1_800_000_000.0

Clock = Callable[[], float]


@dataclass(frozen=True, kw_only=True)
class Pod:
    """One scraped pod."""

    app: str
    namespace: str
    measured: Measured
    switches: Switchboard | None = None
    act: Callable[[], object] | None = None
    """The pod's own work between two scrapes."""
    number: int = 0


class Pods:
    """The pods of a system under one clock, scraped every STEP seconds."""

    def __init__(self, make: Callable[[Clock, bool], Sequence[Pod]], *, busy: bool = False) -> None:
        """`busy` pods also simulate single runs with log lines and spans, which takes longer."""
        self.now = 0.0
        self._make = make
        self._busy = busy
        self._values: dict[str, dict[int, float]] = defaultdict(dict)
        self.replace()

    def replace(self) -> None:
        """Replace every pod by one with another name, counters at 0 and no faults."""
        self._born = self.now
        self._pods = self._make(lambda: self.now, self._busy)

    def switch_on(self, alert: str) -> None:
        """Switch the fault of an alert on, for the longest time that is allowed."""
        self._switches(alert).switch_on(alert, seconds=7200)

    def switch_off(self, alert: str) -> None:
        self._switches(alert).switch_off(alert)

    def faults(self) -> list[Fault]:
        """Every fault of every pod."""
        return [fault for pod in self._pods if pod.switches for fault, _ in pod.switches.faults()]

    def run_until(self, end: float) -> None:
        """Advance the clock to `end`, and scrape every STEP seconds. The last scrape is at `end`."""
        while self.now < end:
            self.now += STEP
            for pod in self._pods:
                if pod.switches:
                    pod.switches.expire()
                if pod.act:
                    pod.act()
                pod.measured.advance()
                self._scrape(pod)

    def series(self) -> list[dict[str, str]]:
        """Input series for promtool. A series that ends is marked as stale, as in Prometheus."""
        steps = range(round(self.now / STEP) + 1)

        def value(values: dict[int, float], step: int) -> str:
            return str(values[step]) if step in values else "stale" if step - 1 in values else "_"

        return [
            {"series": name, "values": " ".join(value(values, step) for step in steps)}
            for name, values in self._values.items()
        ]

    def _scrape(self, pod: Pod) -> None:
        name = f"{pod.app}-{self._born:.0f}-{pod.number}"
        target = {"namespace": pod.namespace, "pod": name, "app": pod.app, "node": "n"}
        samples = [sample for family in pod.measured.registry.collect() for sample in family.samples]
        for metric, labels, value in [("up", {"job": "pods"}, 1.0)] + [(one[0], one[1], one[2]) for one in samples]:
            text = ",".join(f'{key}="{value}"' for key, value in {**labels, **target}.items())
            self._values[f"{metric}{{{text}}}"][round(self.now / STEP)] = value

    def _switches(self, alert: str) -> Switchboard:
        for pod in self._pods:
            if pod.switches and any(alert == fault.alert for fault, _ in pod.switches.faults()):
                return pod.switches
        raise LookupError(alert)


class Unrecorded(Tracing):
    """Drops all spans: they would take most of a run's time, and no metric depends on them."""

    def tracer(self, service: str) -> trace.Tracer:
        return trace.NoOpTracer()


def _switches(workload: Workload, faults: Sequence[Fault], clock: Clock) -> Switchboard:
    return Switchboard(workload, faults, clock=lambda: EPOCH + clock())


def _rng() -> random.Random:
    return random.Random(1)  # noqa: S311 - a seed, so that a test repeats


def job_queue_pods(clock: Clock, busy: bool) -> list[Pod]:
    """One server and two workers."""
    server = Workload(job_queue.metrics("server"), job_queue.server(2), clock=clock)
    workers = [Workload(job_queue.metrics("worker"), job_queue.worker(name), clock=clock) for name in "ab"]
    faults = _switches(server, job_queue.FAULTS, clock)
    return [
        Pod(app="jq-server", namespace="job-queue", measured=server, switches=faults),
        *(Pod(app="jq-worker", namespace="job-queue", measured=one, number=n) for n, one in enumerate(workers)),
    ]


def speccursor_pods(clock: Clock, busy: bool) -> list[Pod]:
    """All five services of SpecCursor."""
    workload = Workload(speccursor_metrics.METRICS, speccursor_metrics.HEALTHY, clock=clock)
    switches = _switches(workload, speccursor.FAULTS, clock)
    runs = speccursor.Upgrades(Unrecorded(), switches, workload, rng=_rng())

    def act() -> None:
        for _ in range(round(STEP / speccursor.PERIOD)):
            runs.run()

    return [
        Pod(app="speccursor", namespace="speccursor", measured=workload, switches=switches, act=act if busy else None)
    ]


def media_pods(clock: Clock, busy: bool) -> list[Pod]:
    """One pod for uploads and one for clustering, in the same namespace."""

    def pod(app: str, workload: Workload, faults: Sequence[Fault], plan: Callable[[random.Random], Step]) -> Pod:
        switches = _switches(workload, faults, clock)
        runs = media_runs.MediaRuns(Unrecorded(), plan, switches, workload, rng=_rng())

        def act() -> None:
            for _ in range(round(STEP / media_runs.PERIOD)):
                runs.run()

        return Pod(app=app, namespace="media", measured=workload, switches=switches, act=act if busy else None)

    uploads = Workload(media_upload.METRICS, media_upload.HEALTHY, clock=clock)
    clusters = Workload(media_clustering.METRICS, media_clustering.HEALTHY, clock=clock)
    return [
        pod("media-upload", uploads, media_upload_faults.FAULTS, media_runs.upload),
        pod("sploot-cluster", clusters, media_clustering.FAULTS, media_runs.cluster),
    ]


def platform_pods(clock: Clock, busy: bool) -> list[Pod]:
    """The pod of simulated series."""
    series = series_files.load()
    workload = Workload(series.metrics, (), clock=clock)
    faults = _switches(workload, series.faults, clock)
    return [Pod(app=series_files.APP, namespace=series_files.APP, measured=workload, switches=faults)]


def api_pods(monkeypatch: pytest.MonkeyPatch) -> Callable[[Clock, bool], list[Pod]]:
    """The API. Its requests use a clock of their own, which moves when they sleep."""
    passed = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal passed
        passed += seconds

    monkeypatch.setattr(api, "asyncio", SimpleNamespace(sleep=sleep, create_task=asyncio.create_task))

    def make(clock: Clock, busy: bool) -> list[Pod]:
        app, metrics = FastAPI(), RequestMetrics()
        switches = Switchboard(None, api.FAULTS, clock=lambda: EPOCH + clock())
        api.add_routes(app, Tracing(), switches, metrics, rng=_rng(), clock=lambda: passed)
        load = api.Load(app, switches, rng=_rng())

        async def ask() -> None:
            for _ in range(round(STEP / api.PERIOD)):
                load.start()
                await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})

        return [Pod(app="api", namespace="api", measured=metrics, switches=switches, act=lambda: asyncio.run(ask()))]

    return make
