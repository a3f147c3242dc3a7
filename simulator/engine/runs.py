"""A run: work that several services did together, planned as a tree of steps and then told as spans and log lines.

A run is told after the fact, with the times at which its steps would have been: it costs no waiting, a test needs no
clock, and a thousand runs at once are as realistic as one.
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
    """What one service did, and what it had others do."""

    service: str
    operation: str
    kind: SpanKind = SpanKind.INTERNAL
    start: float
    """Seconds after the start of the run."""
    duration: float
    """Seconds."""
    attributes: Mapping[str, str | int] = field(default_factory=dict[str, str | int])
    line: str = ""
    """Message of its log line; empty for a step that writes none."""
    error: str = ""
    """Why it failed; empty when it did not."""
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
        """The same tree where this step failed, and with it every step that waited for it."""
        children = tuple(child.failed(service, operation, reason) for child in self.children)
        own = (self.service, self.operation) == (service, operation)
        if not own and not any(child.error for child in children):
            return replace(self, children=children)
        return replace(self, children=children, error=reason)


@dataclass(frozen=True, kw_only=True)
class Told:
    """One step, and the span that stands for it."""

    step: Step
    span: trace.SpanContext
    ended: float
    """Seconds since the epoch."""


def tell(root: Step, tracers: Tracers, *, ended: float, correlation_id: str) -> list[Told]:
    """Make the run's spans, so that its root ended at `ended` (seconds since the epoch); in the order of their ends."""
    told: list[Told] = []
    _tell(root, tracers, ended - root.end, Context(), {"correlation_id": correlation_id}, told.append)
    return sorted(told, key=lambda one: one.ended)


def _tell(
    step: Step,
    tracers: Tracers,
    began: float,
    parent: Context,
    common: Mapping[str, str],
    keep: Callable[[Told], None],
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
        _tell(child, tracers, began, inside, common, keep)
    if step.error:
        span.set_status(Status(StatusCode.ERROR, step.error))
    span.end(round((began + step.end) * _NANOSECONDS))
    keep(Told(step=step, span=span.get_span_context(), ended=began + step.end))


def write(told: list[Told], *, correlation_id: str) -> None:
    """Write the log lines of a run: of a step that failed at ERROR, with its reason."""
    for one in told:
        if not one.step.line:
            continue
        writer = log.error if one.step.error else log.info
        writer(
            one.step.error or one.step.line,
            **line_fields(one, correlation_id),
            duration_ms=round(one.step.duration * 1000, 1),
            **one.step.attributes,
        )


def line_fields(one: Told, correlation_id: str) -> dict[str, str]:
    """What a log line says of the step it is about."""
    return {
        "timestamp": rfc3339(one.ended),
        "service": one.step.service,
        "trace_id": logs.trace_id(one.span),
        "span_id": logs.span_id(one.span),
        "correlation_id": correlation_id,
        "operation": one.step.operation,
    }


class Teller:
    """Runs of one kind, one at each call: planned, told as spans, and written as log lines."""

    def __init__(
        self, tracing: Tracing, plan: Callable[[random.Random], Step], *, rng: random.Random | None = None
    ) -> None:
        """`plan` makes a run; `rng` decides what happens in it."""
        self._tracing = tracing
        self._plan = plan
        self._rng = rng or random.Random()  # noqa: S311 - not about secrets

    def run(self) -> list[Told]:
        """One run, whose last step ended just now."""
        step = self._plan(self._rng)
        correlation_id = str(uuid.UUID(int=self._rng.getrandbits(128), version=4))
        # Some steps end after the one that they came from, which answered at once.
        last = max(one.end for one in step.steps())
        told = tell(step, self._tracing, ended=time.time() - (last - step.end), correlation_id=correlation_id)
        write(told, correlation_id=correlation_id)
        return told
