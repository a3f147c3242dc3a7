"""What a pod of each role is: its metrics, its switches, and what it does by itself."""

import os
import random
import socket
from collections.abc import Callable, Mapping, Sequence

from fastapi import FastAPI

from simulator.engine import jobs
from simulator.engine.app import Activity, create_app
from simulator.engine.faults import Fault, Switchboard
from simulator.engine.request_metrics import RequestMetrics
from simulator.engine.runs import Step, Teller
from simulator.engine.tracing import Tracing
from simulator.engine.workload import Workload
from simulator.receiver.sent_traces import add_sender
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


def server(tracing: Tracing) -> FastAPI:
    """The job queue's server: what exists once, all faults, and a job now and then."""
    workers = int(os.environ.get("SIMULATOR_WORKERS", "2"))
    workload = Workload(job_queue.metrics("server"), job_queue.server(workers))
    return create_app(
        workload,
        Switchboard(workload, job_queue.FAULTS),
        activities=[Activity(period=jobs.PERIOD, act=Teller(tracing, jobs.plan).run)],
        at_end=tracing.shutdown,
    )


def worker(tracing: Tracing) -> FastAPI:
    """One of the job queue's workers."""
    workload = Workload(job_queue.metrics("worker"), job_queue.worker(socket.gethostname()))
    heartbeat = Activity(period=jobs.HEARTBEAT, act=jobs.beat)
    return create_app(workload, activities=[heartbeat], at_end=tracing.shutdown)


def upgrades(tracing: Tracing) -> FastAPI:
    """All five services of SpecCursor, and the sender of counted traces."""
    workload = Workload(speccursor_metrics.METRICS, speccursor_metrics.HEALTHY)
    switches = Switchboard(workload, speccursor.FAULTS)
    runs = speccursor.Upgrades(tracing, switches, workload)
    activity = Activity(period=speccursor.PERIOD, act=runs.run)
    app = create_app(workload, switches, activities=[activity], at_end=tracing.shutdown)
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
            load.append(api.Load(app, switches))
        load[0].start()

    activity = Activity(period=api.PERIOD, act=ask)
    app = create_app(metrics, switches, activities=[activity], at_end=tracing.shutdown)
    api.add_routes(app, tracing, switches, metrics)
    return app


def uploads(tracing: Tracing) -> FastAPI:
    """All four services of media upload, and the exporters of what they use."""
    workload = Workload(media_upload.METRICS, media_upload.HEALTHY)
    return _media(tracing, workload, media_upload_faults.FAULTS, media_runs.upload)


def clustering(tracing: Tracing) -> FastAPI:
    """The clustering of media, and the exporter of its former worker."""
    workload = Workload(media_clustering.METRICS, media_clustering.HEALTHY)
    return _media(tracing, workload, media_clustering.FAULTS, media_runs.cluster)


def _media(
    tracing: Tracing, workload: Workload, faults: Sequence[Fault], plan: Callable[[random.Random], Step]
) -> FastAPI:
    switches = Switchboard(workload, faults)
    runs = media_runs.MediaRuns(tracing, plan, switches, workload)
    activity = Activity(period=media_runs.PERIOD, act=runs.run)
    return create_app(workload, switches, activities=[activity], at_end=tracing.shutdown)


def invented(tracing: Tracing) -> FastAPI:
    """The series of every file in simulator/series, each while its fault is on. Raises SeriesError."""
    series = series_files.load()
    workload = Workload(series.metrics, ())
    return create_app(workload, Switchboard(workload, series.faults), at_end=tracing.shutdown)


# Role -> (service on its log lines, its application).
ROLES: Mapping[str, tuple[str, Callable[[Tracing], FastAPI]]] = {
    "server": ("jq-server", server),
    "worker": ("jq-worker", worker),
    "speccursor": ("speccursor", upgrades),
    "api": ("api", service),
    "media-upload": ("media-upload", uploads),
    "sploot-cluster": ("sploot-cluster", clustering),
    series_files.APP: (series_files.APP, invented),
}
