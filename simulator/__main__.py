"""`python3 -m simulator`: one pod of the simulated job queue.

Environment: SIMULATOR_ROLE (`server` or `worker`), SIMULATOR_WORKERS (workers that the server reports; default 2),
SIMULATOR_PORT (default 8000).
"""

import os
import socket
import sys

from fastapi import FastAPI

from simulator import job_queue
from simulator.app import create_app
from simulator.faults import Switchboard
from simulator.serve import serve
from simulator.workload import Workload

ROLES = ("server", "worker")


def build(role: str) -> FastAPI:
    """The application of a pod with this role."""
    if role == "worker":
        return create_app(Workload(job_queue.metrics(role), job_queue.worker(socket.gethostname())))
    workers = int(os.environ.get("SIMULATOR_WORKERS", "2"))
    workload = Workload(job_queue.metrics(role), job_queue.server(workers))
    return create_app(workload, Switchboard(workload, job_queue.FAULTS))


def main() -> None:
    """Serve until SIGTERM."""
    role = os.environ.get("SIMULATOR_ROLE", "")
    if role not in ROLES:
        sys.exit(f"SIMULATOR_ROLE is {role!r}; allowed: {', '.join(ROLES)}")
    serve(build(role), int(os.environ.get("SIMULATOR_PORT", "8000")))


if __name__ == "__main__":
    main()
