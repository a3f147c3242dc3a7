"""The application of each role's pods: metrics, fault switches and activities."""

import os
import random
import socket
from collections.abc import Callable, Mapping, Sequence

from fastapi import FastAPI

from simulator.engine import jobs
from simulator.engine.app import Activity, create_app
from simulator.engine.faults import Fault, Switchboard
from simulator.engine.request_metrics import RequestMetrics
from simulator.engine.runs import RunEmitter, Step
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


def job_queue_server(tracing: Tracing) -> FastAPI:
    """The job queue's server: metrics that exist once, all faults, and example jobs."""
    workers = int(os.environ.get("SIMULATOR_WORKERS", "2"))
    workload = Workload(job_queue.metrics("server"), job_queue.server(workers))
    return create_app(
        workload,
        Switchboard(workload, job_queue.FAULTS),
        activities=[Activity(period=jobs.PERIOD, act=RunEmitter(tracing, jobs.plan).run)],
        at_end=tracing.shutdown,
    )


def job_queue_worker(tracing: Tracing) -> FastAPI:
    """A worker of the job queue."""
    workload = Workload(job_queue.metrics("worker"), job_queue.worker(socket.gethostname()))
    heartbeat = Activity(period=jobs.HEARTBEAT, act=jobs.beat)
    return create_app(workload, activities=[heartbeat], at_end=tracing.shutdown)


def speccursor_services(tracing: Tracing) -> FastAPI:
    """All five services of SpecCursor, and the endpoint that sends an exact number of traces."""
    workload = Workload(speccursor_metrics.METRICS, speccursor_metrics.HEALTHY)
    switches = Switchboard(workload, speccursor.FAULTS)
    runs = speccursor.Upgrades(tracing, switches, workload)
    activity = Activity(period=speccursor.PERIOD, act=runs.run)
    app = create_app(workload, switches, activities=[activity], at_end=tracing.shutdown)
    add_sender(app, runs)
    return app


def api_service(tracing: Tracing) -> FastAPI:
    """The API behind its gateway, with its own load."""
    switches = Switchboard(None, api.FAULTS)
    metrics = RequestMetrics()
    load: list[api.Load] = []

    def send_request() -> None:
        # Created at the first request, because the load needs the application, which is created with its activities.
        if not load:
            load.append(api.Load(app, switches))
        load[0].start()

    activity = Activity(period=api.PERIOD, act=send_request)
    app = create_app(metrics, switches, activities=[activity], at_end=tracing.shutdown)
    api.add_routes(app, tracing, switches, metrics)
    return app


def media_upload_services(tracing: Tracing) -> FastAPI:
    """All four services of media upload, and the exporters of their dependencies."""
    workload = Workload(media_upload.METRICS, media_upload.HEALTHY)
    return _media(tracing, workload, media_upload_faults.FAULTS, media_runs.upload)


def media_clustering_service(tracing: Tracing) -> FastAPI:
    """Media clustering, and the exporter of its former worker."""
    workload = Workload(media_clustering.METRICS, media_clustering.HEALTHY)
    return _media(tracing, workload, media_clustering.FAULTS, media_runs.cluster)


def _media(
    tracing: Tracing, workload: Workload, faults: Sequence[Fault], plan: Callable[[random.Random], Step]
) -> FastAPI:
    switches = Switchboard(workload, faults)
    runs = media_runs.MediaRuns(tracing, plan, switches, workload)
    activity = Activity(period=media_runs.PERIOD, act=runs.run)
    return create_app(workload, switches, activities=[activity], at_end=tracing.shutdown)


def platform_faults(tracing: Tracing) -> FastAPI:
    """The series of all files in simulator/series, each while its fault is on. Raises SeriesError."""
    series = series_files.load()
    workload = Workload(series.metrics, ())
    return create_app(workload, Switchboard(workload, series.faults), at_end=tracing.shutdown)


# Role -> (service name on log lines, application).
ROLES: Mapping[str, tuple[str, Callable[[Tracing], FastAPI]]] = {
    "server": ("jq-server", job_queue_server),
    "worker": ("jq-worker", job_queue_worker),
    "speccursor": ("speccursor", speccursor_services),
    "api": ("api", api_service),
    "media-upload": ("media-upload", media_upload_services),
    "sploot-cluster": ("sploot-cluster", media_clustering_service),
    series_files.APP: (series_files.APP, platform_faults),
}
