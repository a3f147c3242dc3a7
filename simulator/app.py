"""HTTP face of the simulated workload: /metrics and /healthz everywhere, the fault switches on the server."""

from dataclasses import asdict
from typing import Annotated, Any

import structlog
from fastapi import FastAPI, HTTPException, Query, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from simulator.faults import LONGEST, InstanceNotSupportedError, Switchboard, UnknownFaultError
from simulator.workload import Workload

log = structlog.get_logger("simulator")

# A label value that becomes part of the exposition; short and plain.
Instance = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9._-]{1,63}$")]
Seconds = Annotated[float, Query(gt=0, le=LONGEST)]


def create_app(workload: Workload, switches: Switchboard | None = None) -> FastAPI:
    """The application of one pod; without `switches` it has no fault endpoints."""
    app = FastAPI(title="Job queue simulator", docs_url=None, redoc_url=None, openapi_url=None)

    # Handlers are coroutines on purpose: all of them run in the one event loop thread, so the workload needs no lock.
    async def metrics() -> Response:
        if switches:
            switches.expire()
        workload.advance()
        return Response(generate_latest(workload.registry), media_type=CONTENT_TYPE_LATEST)

    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    app.add_api_route("/metrics", metrics)
    app.add_api_route("/healthz", healthz)
    if switches:
        _add_switches(app, switches)
    return app


def _add_switches(app: FastAPI, switches: Switchboard) -> None:
    async def list_faults() -> list[dict[str, Any]]:
        return [
            {"alert": fault.alert, "description": fault.text, "active": [asdict(one) for one in active]}
            for fault, active in switches.faults()
        ]

    async def switch_on(alert: str, instance: Instance = None, seconds: Seconds = LONGEST) -> dict[str, Any]:
        try:
            active = switches.switch_on(alert, instance=instance, seconds=seconds)
        except UnknownFaultError as error:
            raise HTTPException(404, str(error)) from error
        except InstanceNotSupportedError as error:
            raise HTTPException(422, str(error)) from error
        log.info("fault switched on", alert=alert, instance=instance, until=active.until)
        return {"alert": alert, **asdict(active)}

    async def switch_off(alert: str, instance: Instance = None) -> dict[str, Any]:
        try:
            was_on, at = switches.switch_off(alert, instance=instance)
        except UnknownFaultError as error:
            raise HTTPException(404, str(error)) from error
        log.info("fault switched off", alert=alert, instance=instance, was_on=was_on)
        return {"alert": alert, "instance": instance, "was_on": was_on, "at": at}

    app.add_api_route("/faults", list_faults)
    app.add_api_route("/faults/{alert}", switch_on, methods=["PUT"])
    app.add_api_route("/faults/{alert}", switch_off, methods=["DELETE"])
