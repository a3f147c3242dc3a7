"""HTTP endpoints of a simulated pod: /metrics and /healthz, and /faults if the pod has faults."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Protocol

import structlog
from fastapi import FastAPI, HTTPException, Query, Request, Response
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder

from simulator.engine.faults import LONGEST, USUAL, Fault, NotSupportedError, Switchboard, UnknownFaultError

log = structlog.get_logger()

# Becomes a label value, so it is restricted to short, plain text.
Instance = Annotated[str | None, Query(pattern=r"^[A-Za-z0-9._-]{1,63}$")]
Seconds = Annotated[float, Query(gt=0, le=LONGEST)]


class Measured(Protocol):
    """A source of metrics for /metrics."""

    registry: CollectorRegistry

    def advance(self) -> None:
        """Update the metrics to the present time; called before each scrape."""
        ...


@dataclass(frozen=True, kw_only=True)
class Activity:
    """A task that a pod repeats by itself."""

    period: float
    """Seconds between two starts."""
    act: Callable[[], object]
    """Must not block, because it runs in the event loop's thread."""


def create_app(
    measured: Measured,
    switches: Switchboard | None = None,
    *,
    activities: Sequence[Activity] = (),
    at_end: Callable[[], None] | None = None,
) -> FastAPI:
    """The application of one pod; without `switches` it has no fault endpoints.

    `activities` run while the application is served. `at_end` runs in a separate thread when it stops.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        tasks = [asyncio.create_task(_repeat(activity)) for activity in activities]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if at_end:
            await asyncio.to_thread(at_end)

    ProcessCollector(registry=measured.registry)  # the process metrics that every client library exposes
    app = FastAPI(title="Simulator", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)

    # All handlers are coroutines, so they run in the event loop's thread and the workload needs no lock.
    async def metrics(request: Request) -> Response:
        if switches:
            switches.expire()
        measured.advance()
        # Only OpenMetrics, which Prometheus requests, can carry exemplars.
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(measured.registry), media_type=content_type)

    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    app.add_api_route("/metrics", metrics)
    app.add_api_route("/healthz", healthz)
    if switches:
        _add_switches(app, switches)
    return app


async def _repeat(activity: Activity) -> None:
    while True:
        try:
            activity.act()
        except Exception:
            # A failed activity must not end the pod's other work.
            log.exception("activity failed")
        await asyncio.sleep(activity.period)


def _add_switches(app: FastAPI, switches: Switchboard) -> None:
    async def list_faults() -> list[dict[str, Any]]:
        return [
            {
                **_names(fault),
                "description": fault.text,
                "amount": asdict(fault.amount) if fault.amount else None,
                "active": [asdict(instance) for instance in active],
            }
            for fault, active in switches.faults()
        ]

    async def switch_on(
        name: str, instance: Instance = None, amount: float | None = None, seconds: Seconds = USUAL
    ) -> dict[str, Any]:
        try:
            active = switches.switch_on(name, instance=instance, amount=amount, seconds=seconds)
        except UnknownFaultError as error:
            raise HTTPException(404, str(error)) from error
        except NotSupportedError as error:
            raise HTTPException(422, str(error)) from error
        log.info("fault switched on", fault=name, instance=instance, amount=active.amount, until=active.until)
        return {**_names(switches.fault(name)), **asdict(active)}

    async def switch_off(name: str, instance: Instance = None) -> dict[str, Any]:
        try:
            was_on, at = switches.switch_off(name, instance=instance)
        except UnknownFaultError as error:
            raise HTTPException(404, str(error)) from error
        log.info("fault switched off", fault=name, instance=instance, was_on=was_on)
        return {**_names(switches.fault(name)), "instance": instance, "was_on": was_on, "at": at}

    app.add_api_route("/faults", list_faults)
    app.add_api_route("/faults/{name}", switch_on, methods=["PUT"])
    app.add_api_route("/faults/{name}", switch_off, methods=["DELETE"])


def _names(fault: Fault) -> dict[str, str | None]:
    return {"fault": fault.name, "alert": fault.alert or None}
