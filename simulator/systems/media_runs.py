"""Uploads and clustering jobs as traces and log lines, including visible effects of faults."""

import random
from collections.abc import Callable

from opentelemetry.trace import SpanKind

from simulator.engine import logs
from simulator.engine.faults import Switchboard
from simulator.engine.runs import EmittedStep, RunEmitter, Step
from simulator.engine.tracing import Tracing
from simulator.engine.workload import Workload
from simulator.systems.media_clustering import BACKENDS, FEEDBACK
from simulator.systems.media_upload import ASPECT_RATIOS, RESOLUTIONS

PERIOD = 2.0
"""Seconds between two emitted runs of uploads, and of clustering jobs."""
HEALTHY_FAILURES = 0.002
"""Share of runs that fail without a fault."""
FAULTY_FAILURES = 0.5
"""Share of runs that fail while a fault that affects them is on."""
QUEUE_LOGGER = "sploot-cluster.queue"
"""Logger name that clustering's runbook uses to filter log lines."""
_SELDOM = 0.1
"""Share of runs of the rarer type."""

STALLED = "MediaClusterJobsStalled"

# Fault -> (service, operation, reason) of the step that fails.
_FAILING = {
    "MediaUploadFailureRateHigh": ("ingestor", "object.put", "the object store refuses the upload"),
    "MediaStorageOperationFailures": ("ingestor", "object.put", "the object store does not answer"),
    "MediaReconciliationErrors": ("reconciler", "media.reconcile", "the object has no record"),
    "DatabasePoolExhausted": ("ingestor", "record.insert", "no connection is free"),
    "HighGraphQLErrorRate": ("gateway", "createUpload", "the resolver failed"),
    "MediaClusterJobFailures": ("sploot-cluster", "cluster.run", "embedding has 511 dimensions, not 512"),
    "MediaClusterJobFailuresCritical": ("sploot-cluster", "cluster.run", "embedding has 511 dimensions, not 512"),
    "MediaClusterFeedbackFailures": ("sploot-cluster", "feedback.apply", "the cluster to merge does not exist"),
}
# (service, operation) -> histogram of its durations.
_OBSERVED = {
    ("gateway", "createUpload"): "gateway_request_duration_seconds",
    ("ingestor", "upload.ingest"): "media_upload_duration_seconds",
    ("variant-generator", "variant.generate"): "variant_generation_duration_seconds",
    ("sploot-cluster", "cluster.run"): "cluster_job_duration_seconds",
}


def upload(rng: random.Random) -> Step:
    """One upload through gateway and ingestor, with its variant later through a queue; sometimes a reconciliation."""
    if rng.random() < _SELDOM:
        return Step(
            service="reconciler",
            operation="media.reconcile",
            start=0.0,
            duration=rng.lognormvariate(-2.0, 0.4),
            line="media reconciled",
        )
    # The gateway waits for the store, nearly always less than the 500 ms of its SLO.
    put, insert = rng.lognormvariate(-1.7, 0.3), rng.lognormvariate(-4.5, 0.3)
    stored = 0.02 + put + insert
    waits, works = rng.lognormvariate(-2.0, 0.5), rng.lognormvariate(-0.3, 0.4)
    variant = Step(
        service="variant-generator",
        operation="variant.generate",
        kind=SpanKind.CONSUMER,
        start=stored + waits,
        duration=works,
        attributes={"resolution": rng.choice(RESOLUTIONS), "aspect_ratio": rng.choice(ASPECT_RATIOS)},
        line="variant generated",
    )
    ingest = Step(
        service="ingestor",
        operation="upload.ingest",
        kind=SpanKind.SERVER,
        start=0.01,
        duration=stored + 0.005 - 0.01,
        line="upload stored",
        children=(
            Step(service="ingestor", operation="object.put", kind=SpanKind.CLIENT, start=0.015, duration=put),
            Step(
                service="ingestor", operation="record.insert", kind=SpanKind.CLIENT, start=0.018 + put, duration=insert
            ),
        ),
    )
    return Step(
        service="gateway",
        operation="createUpload",
        kind=SpanKind.SERVER,
        start=0.0,
        duration=ingest.end + 0.008,
        attributes={"route": "/uploads"},
        line="request answered",
        children=(ingest, variant),
    )


def cluster(rng: random.Random) -> Step:
    """One entry of the stream: a clustering job, or sometimes a correction."""
    about = {"logger": QUEUE_LOGGER, "pet_id": rng.randint(1, 500)}
    if rng.random() < _SELDOM:
        return Step(
            service="sploot-cluster",
            operation="feedback.apply",
            kind=SpanKind.CONSUMER,
            start=0.0,
            duration=rng.lognormvariate(-2.5, 0.3),
            attributes={**about, "feedback": rng.choice(FEEDBACK)},
            line="feedback applied",
        )
    works = rng.lognormvariate(-0.1, 0.3)
    run = Step(
        service="sploot-cluster",
        operation="cluster.run",
        start=0.01,
        duration=works,
        attributes={"backend": rng.choices(BACKENDS, (7, 1))[0]},
    )
    return Step(
        service="sploot-cluster",
        operation="job.handle",
        kind=SpanKind.CONSUMER,
        start=0.0,
        duration=works + 0.03,
        attributes={**about, **run.attributes},
        line="pet clustered",
        children=(run, Step(service="sploot-cluster", operation="redis.ack", start=works + 0.015, duration=0.005)),
    )


class MediaRuns:
    """Emits runs of one type, which fail more often while a fault that affects them is on."""

    def __init__(
        self,
        tracing: Tracing,
        plan: Callable[[random.Random], Step],
        switches: Switchboard,
        workload: Workload,
        *,
        rng: random.Random | None = None,
    ) -> None:
        """`plan` is `upload` or `cluster`; durations of runs are observed in `workload`."""
        self._emitter = RunEmitter(tracing, self._planned, rng=rng)
        self._plan = plan
        self._switches = switches
        self._workload = workload
        known = {fault.name for fault, _ in switches.faults()}
        self._faults = {name: step for name, step in _FAILING.items() if name in known}

    def run(self) -> list[EmittedStep]:
        """Emit one run as spans, log lines and observations; no run while jobs are stalled."""
        if self._on(STALLED):
            return []
        emitted = self._emitter.run()
        for part in emitted:
            step, span = part.step, part.span
            metric = _OBSERVED.get((step.service, step.operation))
            if metric and not step.error:
                exemplar = {"trace_id": logs.trace_id(span), "span_id": logs.span_id(span)}
                labels = {name: str(value) for name, value in step.attributes.items()}
                self._workload.observe(metric, labels, step.duration, exemplar=exemplar)
        return emitted

    def _planned(self, rng: random.Random) -> Step:
        step = self._plan(rng)
        on = [failing for name, failing in self._faults.items() if self._on(name)]
        if rng.random() < (FAULTY_FAILURES if on else HEALTHY_FAILURES):
            step = step.failed(*rng.choice(on or list(self._faults.values())))
        return step

    def _on(self, fault: str) -> bool:
        return any(active for known, active in self._switches.faults() if known.name == fault)
