"""Jobs of the job queue as traces and log lines: the server enqueues, a worker runs.

Both halves are told by the server pod. The counters of job_queue.py are a rate; these few jobs are examples of it.
"""

import random
import time
import uuid

import structlog
from opentelemetry.trace import SpanKind

from simulator import runs
from simulator.job_queue import QUEUES
from simulator.runs import Step, Told
from simulator.tracing import Tracing

log = structlog.get_logger()

PERIOD = 4.0
"""Seconds between two jobs that are told."""
HEARTBEAT = 30.0
"""Seconds between two lines of a worker."""


def plan(rng: random.Random) -> Step:
    """One job: enqueued by a request, taken by a worker a little later."""
    labels = {"queue": rng.choice(QUEUES)}
    waits, works = rng.lognormvariate(-2.0, 0.5), rng.lognormvariate(-0.7, 0.4)
    run = Step(
        service="jq-worker",
        operation="job.run",
        kind=SpanKind.CONSUMER,
        start=0.012 + waits,
        duration=works,
        attributes=labels,
        line="job finished",
        children=(
            Step(
                service="jq-worker",
                operation="redis.ack",
                kind=SpanKind.CLIENT,
                start=0.012 + waits + works * 0.98,
                duration=works * 0.02,
            ),
        ),
    )
    publish = Step(
        service="jq-server",
        operation="job.publish",
        kind=SpanKind.PRODUCER,
        start=0.004,
        duration=0.005,
        attributes=labels,
        children=(run,),
    )
    return Step(
        service="jq-server",
        operation="job.submit",
        kind=SpanKind.SERVER,
        start=0.0,
        duration=0.012,
        attributes=labels,
        line="job submitted",
        children=(publish,),
    )


class Jobs:
    """Jobs, one at each call."""

    def __init__(self, tracing: Tracing, *, rng: random.Random | None = None) -> None:
        """`rng` decides queues and durations."""
        self._tracing = tracing
        self._rng = rng or random.Random()  # noqa: S311 - not about secrets

    def run(self) -> list[Told]:
        """One job, told as spans and log lines."""
        step = plan(self._rng)
        correlation_id = str(uuid.UUID(int=self._rng.getrandbits(128), version=4))
        # The worker ends after the request that it came from, which answered at once.
        last = max(one.end for one in step.steps())
        ended = time.time() - (last - step.end)
        told = runs.tell(step, self._tracing, ended=ended, correlation_id=correlation_id)
        runs.write(told, correlation_id=correlation_id)
        return told


def beat() -> None:
    """One line of a worker pod: what its own log has to say."""
    log.info("waiting for jobs", operation="heartbeat")
