"""Jobs of the job queue as traces and log lines: the server enqueues, a worker runs.

Both halves are told by the server pod. The counters of job_queue.py are a rate; these few jobs are examples of it.
"""

import random

import structlog
from opentelemetry.trace import SpanKind

from simulator.engine.runs import Step
from simulator.systems.job_queue import QUEUES

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


def beat() -> None:
    """One line of a worker pod: what its own log has to say."""
    log.info("waiting for jobs", operation="heartbeat")
