"""Runs: work of several services, planned as a tree of steps and then emitted as spans and log lines.

A run is emitted afterwards, with computed times for its steps. So nothing waits, tests need no clock, and a thousand
simultaneous runs are as realistic as one.
"""

import random
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import structlog
from observability_fastapi.logs import rfc3339
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, Status, StatusCode

from simulator.engine import logs
from simulator.engine.tracing import Tracers, Tracing

log = structlog.get_logger()
_NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class Step:
    """An operation of one service, with the operations that it called."""

    service: str
    operation: str
    kind: SpanKind = SpanKind.INTERNAL
    start: float
    """Seconds after the start of the run."""
    duration: float
    """Seconds."""
    attributes: Mapping[str, str | int] = field(default_factory=dict[str, str | int])
    line: str = ""
    """Message of its log line; empty for a step without one."""
    error: str = ""
    """Reason of its failure; empty if it succeeded."""
    children: tuple["Step", ...] = ()

    @property
    def end(self) -> float:
        """Seconds after the start of the run."""
        return self.start + self.duration

    def steps(self) -> Iterator["Step"]:
        """This step and all below it."""
        yield self
        for child in self.children:
            yield from child.steps()

    def failed(self, service: str, operation: str, reason: str) -> "Step":
        """The same tree, in which this step and every step that waited for it failed."""
        children = tuple(child.failed(service, operation, reason) for child in self.children)
        own = (self.service, self.operation) == (service, operation)
        if not own and not any(child.error for child in children):
            return replace(self, children=children)
        return replace(self, children=children, error=reason)


@dataclass(frozen=True, kw_only=True)
class EmittedStep:
    """A step and its span."""

    step: Step
    span: trace.SpanContext
    ended: float
    """Seconds since the epoch."""


def emit(root: Step, tracers: Tracers, *, ended: float, correlation_id: str) -> list[EmittedStep]:
    """Create the run's spans such that its root ended at `ended` (seconds since the epoch).

    Returns the steps in the order of their ends.
    """
    emitted: list[EmittedStep] = []
    _emit(root, tracers, ended - root.end, Context(), {"correlation_id": correlation_id}, emitted.append)
    return sorted(emitted, key=lambda step: step.ended)


def _emit(
    step: Step,
    tracers: Tracers,
    began: float,
    parent: Context,
    common: Mapping[str, str],
    keep: Callable[[EmittedStep], None],
) -> None:
    span = tracers.tracer(step.service).start_span(
        step.operation,
        context=parent,
        kind=step.kind,
        attributes={**common, "operation": step.operation, **step.attributes},
        start_time=round((began + step.start) * _NANOSECONDS),
    )
    inside = trace.set_span_in_context(span, Context())
    for child in step.children:
        _emit(child, tracers, began, inside, common, keep)
    if step.error:
        span.set_status(Status(StatusCode.ERROR, step.error))
    span.end(round((began + step.end) * _NANOSECONDS))
    keep(EmittedStep(step=step, span=span.get_span_context(), ended=began + step.end))


def write(steps: list[EmittedStep], *, correlation_id: str) -> None:
    """Write the log lines of a run; failed steps have the level ERROR and their reason as message."""
    for emitted in steps:
        step = emitted.step
        if not step.line:
            continue
        writer = log.error if step.error else log.info
        writer(
            step.error or step.line,
            **line_fields(emitted, correlation_id),
            duration_ms=round(step.duration * 1000, 1),
            **step.attributes,
        )


def line_fields(emitted: EmittedStep, correlation_id: str) -> dict[str, str]:
    """Fields of a log line about a step."""
    return {
        "timestamp": rfc3339(emitted.ended),
        "service": emitted.step.service,
        "trace_id": logs.trace_id(emitted.span),
        "span_id": logs.span_id(emitted.span),
        "correlation_id": correlation_id,
        "operation": emitted.step.operation,
    }


class RunEmitter:
    """Emits runs of one type: each call plans a run and emits its spans and log lines."""

    def __init__(
        self, tracing: Tracing, plan: Callable[[random.Random], Step], *, rng: random.Random | None = None
    ) -> None:
        """`plan` creates a run; `rng` decides its details."""
        self._tracing = tracing
        self._plan = plan
        self._rng = rng or random.Random()  # noqa: S311 - not about secrets

    def run(self) -> list[EmittedStep]:
        """Emit one run, whose last step ended just now."""
        step = self._plan(self._rng)
        correlation_id = str(uuid.UUID(int=self._rng.getrandbits(128), version=4))
        # Some steps are asynchronous and end after the step that started them.
        last = max(part.end for part in step.steps())
        emitted = emit(step, self._tracing, ended=time.time() - (last - step.end), correlation_id=correlation_id)
        write(emitted, correlation_id=correlation_id)
        return emitted
