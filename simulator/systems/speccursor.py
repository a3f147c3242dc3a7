"""SpecCursor: upgrade runs through five services, and their faults."""

import random
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from opentelemetry.trace import SpanKind

from simulator.engine import logs, runs
from simulator.engine.faults import Amount, Fault, Switchboard
from simulator.engine.runs import EmittedStep, Step
from simulator.engine.signals import Durations
from simulator.engine.tracing import Tracing
from simulator.engine.workload import Workload
from simulator.systems import speccursor_metrics
from simulator.systems.speccursor_metrics import COMPLEXITIES, ECOSYSTEMS, MODELS, OPERATION_DURATION, SERVICES

log = structlog.get_logger()

PERIOD = 1.0
"""Seconds between two upgrade runs."""
HEALTHY_FAILURES = 0.01
"""Share of runs that fail without a fault: 0.6 ERROR lines a minute over all services."""
DEFAULT_SERVICE = "ai-service"
"""Default service of the ERROR lines of a fault."""
_CHUNK = 100
"""Number of traces per delivery; each has 14 spans, so memory stays small."""

SLOWER = 45.0
"""Additional seconds of the model in the fault of SpecCursorOperationSlow."""

FAULTS = (
    Fault(
        switch="error-logs",
        alert="SpecCursorErrorLogBurst",
        text="One service (`instance`, default ai-service) writes ERROR lines; the alert's limit is 10 a minute.",
        amount=Amount(unit="lines a minute", default=30.0, least=1.0, most=600.0),
        instance_label="service",
        instances=SERVICES,
    ),
    Fault(
        alert="SpecCursorErrorLogAnomalous",
        text="rust-worker writes ERROR lines, enough for three times the mean of a day with some drills in it. They "
        "also exceed the limit of SpecCursorErrorLogBurst.",
        amount=Amount(unit="lines a minute", default=600.0, least=1.0, most=3000.0),
    ),
    Fault(
        switch="trace-errors",
        text="A share of the runs fails, with an ERROR span, ERROR spans in its callers, and ERROR lines.",
        amount=Amount(unit="of all runs", default=0.1, least=0.0, most=1.0),
    ),
    Fault(
        switch="slow",
        text="The model and its callers take this much longer.",
        amount=Amount(unit="seconds", default=45.0, least=0.1, most=110.0),
    ),
    Fault(
        alert="SpecCursorOperationSlow",
        text="The model and its callers take 45 s longer; the alert's limit is a p95 of 30 s.",
        # Five minutes have 300 healthy requests, so 16 slow ones change the 95th percentile.
        signals=(
            Durations(
                metric=OPERATION_DURATION,
                labels={"service": "ai-service", "operation": "patch.generate"},
                median=SLOWER,
                burst=100,
            ),
        ),
    ),
    *speccursor_metrics.FAULTS,
)

_WEAK_STEPS = (
    ("ai-service", "model.complete", "the model did not answer in time"),
    ("rust-worker", "sandbox.test", "3 tests fail with the new version"),
    ("lean-engine", "proof.check", "no proof found within the limit"),
)


def plan(rng: random.Random, *, slower: float = 0.0) -> Step:
    """A successful run, in which the model takes `slower` seconds longer than usual."""
    ecosystem, model = rng.choice(ECOSYSTEMS), rng.choice(MODELS)

    def around(median: float) -> float:
        return median * rng.lognormvariate(0.0, 0.35)

    verify, resolve, wire = around(0.003), around(0.06), 0.004
    think, build, test, prove = around(0.5) + slower, around(0.35), around(0.4), around(0.3)
    seen = {"ecosystem": ecosystem}
    # Each service starts when it is called, and ends when all services that it called have ended.
    asked = verify + 2 * wire + resolve
    answered = asked + 2 * wire + think + 0.01
    tested = answered + wire + build
    proof = Step(
        service="lean-engine",
        operation="proof.check",
        kind=SpanKind.SERVER,
        start=tested + wire,
        duration=prove,
        attributes={**seen, "complexity": rng.choice(COMPLEXITIES)},
        line="proof checked",
    )
    worker_end = max(tested + test, proof.end + wire) + 0.005
    worker = Step(
        service="rust-worker",
        operation="upgrade.run",
        kind=SpanKind.SERVER,
        start=answered + wire,
        duration=worker_end - answered - wire,
        attributes=seen,
        line="upgrade run in the sandbox",
        children=(
            Step(service="rust-worker", operation="sandbox.build", start=answered + wire, duration=build),
            Step(service="rust-worker", operation="sandbox.test", start=tested, duration=test),
            _call("rust-worker", "lean-engine", proof, wire),
        ),
    )
    ai = Step(
        service="ai-service",
        operation="patch.generate",
        kind=SpanKind.SERVER,
        start=asked + wire,
        duration=think + 0.01,
        attributes={**seen, "model": model},
        line="patch generated",
        children=(
            Step(
                service="ai-service",
                operation="model.complete",
                kind=SpanKind.CLIENT,
                start=asked + wire + 0.005,
                duration=think,
                attributes={"model": model},
            ),
        ),
    )
    controller = Step(
        service="controller",
        operation="upgrade.schedule",
        kind=SpanKind.SERVER,
        start=verify + wire,
        duration=worker.end + wire + 0.003 - verify - wire,
        attributes=seen,
        line="upgrade finished",
        children=(
            Step(service="controller", operation="dependencies.resolve", start=verify + wire, duration=resolve),
            _call("controller", "ai-service", ai, wire),
            _call("controller", "rust-worker", worker, wire),
        ),
    )
    return Step(
        service="github-app",
        operation="webhook.receive",
        kind=SpanKind.SERVER,
        start=0.0,
        duration=controller.end + wire + 0.002,
        attributes=seen,
        line="webhook handled",
        children=(
            Step(service="github-app", operation="webhook.verify-signature", start=0.0, duration=verify),
            _call("github-app", "controller", controller, wire),
        ),
    )


def failing(run: Step, rng: random.Random) -> Step:
    """The same run, in which one of the weak steps fails."""
    return run.failed(*rng.choice(_WEAK_STEPS))


def _call(caller: str, called: str, answer: Step, wire: float) -> Step:
    """The client span of a request that takes `wire` seconds in each direction."""
    return Step(
        service=caller,
        operation=f"call {called}",
        kind=SpanKind.CLIENT,
        start=answer.start - wire,
        duration=answer.duration + 2 * wire,
        children=(answer,),
    )


@dataclass(frozen=True, kw_only=True)
class SentTrace:
    """One trace of a sent set."""

    trace_id: str
    error: bool
    spans: int


class Upgrades:
    """Emits upgrade runs, one per call, with the active faults."""

    def __init__(
        self, tracing: Tracing, switches: Switchboard, workload: Workload, *, rng: random.Random | None = None
    ) -> None:
        """Durations of runs are observed in `workload`; `rng` decides durations and failures."""
        self._workload = workload
        self._tracing = tracing
        self._switches = switches
        self._rng = rng or random.Random()  # noqa: S311 - not about secrets
        self._owed: dict[str, float] = {}

    def run(self) -> list[EmittedStep]:
        """Emit one run as spans, log lines and observations."""
        slower = self._switches.amount("slow")
        if self._switches.active("SpecCursorOperationSlow"):
            slower += SLOWER
        step = plan(self._rng, slower=slower)
        on = self._switches.active("trace-errors")
        if self._rng.random() < (self._switches.amount("trace-errors") if on else HEALTHY_FAILURES):
            step = failing(step, self._rng)
        correlation_id = str(uuid.UUID(int=self._rng.getrandbits(128), version=4))
        emitted = runs.emit(step, self._tracing, ended=time.time(), correlation_id=correlation_id)
        runs.write(emitted, correlation_id=correlation_id)
        for part in emitted:
            if part.step.kind is SpanKind.SERVER:
                exemplar = {"trace_id": logs.trace_id(part.span), "span_id": logs.span_id(part.span)}
                labels = {"service": part.step.service, "operation": part.step.operation}
                self._workload.observe(OPERATION_DURATION, labels, part.step.duration, exemplar=exemplar)
        self._write_errors(emitted, correlation_id)
        return emitted

    async def send(self, *, count: int, errors: int) -> list[SentTrace]:
        """Send exactly `count` traces at once, `errors` of them with an error. Sends only spans, and ignores faults.

        Raises NotDeliveredError if no collector is configured or it rejected some.
        """
        tracers = self._tracing.direct()
        wrong = frozenset(self._rng.sample(range(count), errors))
        sent: list[SentTrace] = []
        for number in range(count):
            step = plan(self._rng)
            if number in wrong:
                step = failing(step, self._rng)
            emitted = runs.emit(step, tracers, ended=time.time(), correlation_id=f"sent-{number}")
            sent.append(SentTrace(trace_id=logs.trace_id(emitted[0].span), error=number in wrong, spans=len(emitted)))
            if number % _CHUNK == _CHUNK - 1:
                await tracers.deliver()
        await tracers.deliver()
        return sent

    def _write_errors(self, emitted: Sequence[EmittedStep], correlation_id: str) -> None:
        """Write ERROR lines without a failed trace, as many as became due since the previous run."""
        on = [(active.instance or DEFAULT_SERVICE, active) for active in self._switches.active("error-logs")]
        on += [("rust-worker", active) for active in self._switches.active("SpecCursorErrorLogAnomalous")]
        for service, active in on:
            owed = self._owed.get(service, 0.0) + (active.amount or 0.0) / 60 * PERIOD
            step = next(part for part in emitted if part.step.service == service)
            for _ in range(int(owed)):
                log.error("request refused, trying again", **runs.line_fields(step, correlation_id))
            self._owed[service] = owed - int(owed)
