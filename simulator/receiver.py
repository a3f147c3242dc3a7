"""`python3 -m simulator.receiver`: records every notification that Alertmanager delivers, and answers questions.

Environment: RECEIVER_DATA (file; default /data/deliveries.jsonl), RECEIVER_PORT (default 8080).
"""

import os
import pathlib
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Literal

import structlog
from fastapi import FastAPI, Path, Query, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, disable_created_metrics, generate_latest

from simulator import logs
from simulator.delivery_log import Delivery, DeliveryLog
from simulator.notifications import LARGEST, MalformedError, parse
from simulator.serve import serve

log = structlog.get_logger()
disable_created_metrics()

_EXCERPT = 2000

Channel = Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]{1,63}$")]
Status = Literal["firing", "resolved", "malformed"]


def create_app(deliveries: DeliveryLog, *, clock: Callable[[], float] = time.time) -> FastAPI:
    """The receiver's application. `clock` gives seconds since the epoch."""
    app = FastAPI(title="Notification receiver", docs_url=None, redoc_url=None, openapi_url=None)
    registry = CollectorRegistry()
    counter = Counter(
        "receiver_deliveries_total", "Notifications by outcome.", ("channel", "status"), registry=registry
    )
    to_refuse = 0

    # Handlers are coroutines on purpose: they share the event loop's thread, so the log and the count need no lock.
    async def deliver(channel: Channel, request: Request) -> Response:
        nonlocal to_refuse
        if to_refuse > 0:
            to_refuse -= 1
            counter.labels(channel, "refused").inc()
            log.info("delivery refused as told", channel=channel, left=to_refuse)
            return PlainTextResponse("told to fail", status_code=500)
        delivery = _record(channel, await _body(request), clock())
        deliveries.add(delivery)
        counter.labels(channel, delivery.status).inc()
        names = sorted({alert["alertname"] for alert in delivery.alerts})
        log.info("delivery", channel=channel, kind=delivery.kind, status=delivery.status, alerts=names)
        if delivery.error:
            return PlainTextResponse(delivery.error, status_code=400)
        return PlainTextResponse("ok")  # Alertmanager takes any other text from a Slack URL for an error

    async def find(
        channel: str | None = None,
        alertname: str | None = None,
        status: Status | None = None,
        since: float | None = None,
    ) -> Response:
        found = deliveries.find(channel=channel, alertname=alertname, status=status, since=since)
        return JSONResponse([vars(delivery) for delivery in found])

    async def clear() -> dict[str, int]:
        return {"deleted": deliveries.clear()}

    async def fail_next(count: Annotated[int, Query(ge=0, le=10_000)]) -> dict[str, int]:
        nonlocal to_refuse
        to_refuse = count
        return {"to_refuse": to_refuse}

    async def metrics() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    app.add_api_route("/deliver/{channel}", deliver, methods=["POST"])
    app.add_api_route("/deliveries", find, response_model=None)
    app.add_api_route("/deliveries", clear, methods=["DELETE"])
    app.add_api_route("/fail-next", fail_next, methods=["POST"])
    app.add_api_route("/metrics", metrics)
    app.add_api_route("/healthz", healthz)
    return app


async def _body(request: Request) -> bytes:
    """The body, cut just past the limit: one byte more than LARGEST marks it as too large."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            break
    return bytes(body[: LARGEST + 1])


def _record(channel: str, body: bytes, now: float) -> Delivery:
    try:
        payload, notification = parse(body)
    except MalformedError as error:
        excerpt = body[:_EXCERPT].decode(errors="replace")
        return Delivery(
            received_at=now,
            channel=channel,
            kind="malformed",
            status="malformed",
            payload=excerpt,
            error=str(error),
        )
    return Delivery(
        received_at=now,
        channel=channel,
        kind=notification.kind,
        status=notification.status,
        alerts=[asdict(alert) for alert in notification.alerts],
        payload=payload,
    )


def main() -> None:
    """Serve until SIGTERM."""
    logs.configure("receiver")
    file = pathlib.Path(os.environ.get("RECEIVER_DATA", "/data/deliveries.jsonl"))
    serve(create_app(DeliveryLog(file)), int(os.environ.get("RECEIVER_PORT", "8080")))


if __name__ == "__main__":
    main()
