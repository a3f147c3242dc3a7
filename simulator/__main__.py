"""`python3 -m simulator`: one pod of a simulated system.

Environment: SIMULATOR_ROLE (`server` or `worker` of the job queue, `speccursor`, `api`, `media-upload`,
`sploot-cluster`, `platform-faults`), SIMULATOR_WORKERS (workers that the job queue's server reports; default 2),
SIMULATOR_PORT (default 8000), OTEL_EXPORTER_OTLP_ENDPOINT (base URL of the OpenTelemetry agent; if unset, no traces
are sent).
"""

import os
import sys

from fastapi import FastAPI
from observability_fastapi import InstrumentationError, sending, traces

from simulator.engine import logs
from simulator.engine.serve import serve
from simulator.engine.tracing import Tracing
from simulator.systems.roles import ROLES
from simulator.systems.series_files import SeriesError


def build(role: str, tracing: Tracing | None = None) -> FastAPI:
    """The application of a pod with this role; without `tracing` it sends no traces."""
    _, make = ROLES[role]
    return make(tracing or Tracing())


def main() -> None:
    """Serve until SIGTERM."""
    role = os.environ.get("SIMULATOR_ROLE", "")
    if role not in ROLES:
        sys.exit(f"SIMULATOR_ROLE is {role!r}; allowed: {', '.join(ROLES)}")
    try:
        sends_to = traces.receiver("traces")
    except InstrumentationError as error:
        sys.exit(str(error))
    service, _ = ROLES[role]
    logs.configure(service)
    try:
        app = build(role, Tracing(sending.exporter("traces", sends_to) if sends_to else None))
    except SeriesError as error:
        sys.exit(str(error))
    serve(app, int(os.environ.get("SIMULATOR_PORT", "8000")))


if __name__ == "__main__":
    main()
