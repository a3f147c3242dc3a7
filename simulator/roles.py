"""What a pod of each role is: its metrics, its switches, and what it does by itself."""

import os
import socket
from collections.abc import Callable, Mapping

from fastapi import FastAPI

from simulator import api, job_queue, jobs, speccursor
from simulator.app import Activity, create_app
from simulator.faults import Switchboard
from simulator.request_metrics import RequestMetrics
from simulator.sent_traces import add_sender
from simulator.tracing import Tracing
from simulator.workload import Workload


def server(tracing: Tracing) -> FastAPI:
    """The job queue's server: what exists once, all faults, and a job now and then."""
    workers = int(os.environ.get("SIMULATOR_WORKERS", "2"))
    workload = Workload(job_queue.metrics("server"), job_queue.server(workers))
    return create_app(
        workload,
        Switchboard(workload, job_queue.FAULTS),
        activities=[Activity(period=jobs.PERIOD, act=jobs.Jobs(tracing).run)],
        at_end=tracing.shutdown,
    )


def worker(tracing: Tracing) -> FastAPI:
    """One of the job queue's workers."""
    workload = Workload(job_queue.metrics("worker"), job_queue.worker(socket.gethostname()))
    heartbeat = Activity(period=jobs.HEARTBEAT, act=jobs.beat)
    return create_app(workload, activities=[heartbeat], at_end=tracing.shutdown)


def upgrades(tracing: Tracing) -> FastAPI:
    """All five services of SpecCursor, and the sender of counted traces."""
    switches = Switchboard(None, speccursor.FAULTS)
    runs = speccursor.Upgrades(tracing, switches)
    activity = Activity(period=speccursor.PERIOD, act=runs.run)
    app = create_app(runs, switches, activities=[activity], at_end=tracing.shutdown)
    add_sender(app, runs)
    return app


def service(tracing: Tracing) -> FastAPI:
    """The API behind its gateway, with a load of its own."""
    switches = Switchboard(None, api.FAULTS)
    metrics = RequestMetrics()
    load: list[api.Load] = []

    def ask() -> None:
        # Made at the first request: the load needs the application, which is made with what it does.
        if not load:
            load.append(api.Load(app))
        load[0].start()

    activity = Activity(period=api.PERIOD, act=ask)
    app = create_app(metrics, switches, activities=[activity], at_end=tracing.shutdown)
    api.add_routes(app, tracing, switches, metrics)
    return app


# Role -> (service on its log lines, its application).
ROLES: Mapping[str, tuple[str, Callable[[Tracing], FastAPI]]] = {
    "server": ("jq-server", server),
    "worker": ("jq-worker", worker),
    "speccursor": ("speccursor", upgrades),
    "api": ("api", service),
}
