"""Jobs of the job queue as traces and log lines: the server enqueues a job, a worker runs it.

The server pod emits both halves. The counters of job_queue.py have fixed rates; these few jobs are examples.
"""

import random

import structlog
from opentelemetry.trace import SpanKind

from simulator.engine.runs import Step
from simulator.systems.job_queue import QUEUES

log = structlog.get_logger()

PERIOD = 4.0
"""Seconds between two jobs with a trace and log lines."""
HEARTBEAT = 30.0
"""Seconds between two log lines of a worker."""


def plan(rng: random.Random) -> Step:
    """One job: a request enqueues it, and a worker takes it a little later."""
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
    """Write the heartbeat line of a worker pod."""
    log.info("waiting for jobs", operation="heartbeat")
