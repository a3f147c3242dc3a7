"""`python3 -m simulator.receiver`: records every notification that Alertmanager delivers, and answers queries.

Environment: RECEIVER_DATA (file; default /data/deliveries.jsonl), RECEIVER_PORT (default 8080), RECEIVER_SMTP_PORT
(default 2525).
"""

import os
import pathlib
import re
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Annotated, Any, Literal

import structlog
from fastapi import FastAPI, Path, Query, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, disable_created_metrics, generate_latest

from simulator.engine import logs
from simulator.engine.serve import serve
from simulator.receiver import mails
from simulator.receiver.delivery_log import Delivery, DeliveryLog
from simulator.receiver.notifications import LARGEST, NOT_KEPT, MalformedError, Notification, NotificationKind, parse

log = structlog.get_logger()
disable_created_metrics()

_EXCERPT = 2000
_ROUTING_KEY = re.compile(r'("routing_key"\s*:\s*")[^"]*')

Channel = Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]{1,63}$")]
Status = Literal["firing", "resolved", "malformed"]


class Inbox:
    """Accepts deliveries of every protocol: records and counts them, or refuses them on request."""

    def __init__(self, deliveries: DeliveryLog, clock: Callable[[], float]) -> None:
        """`clock` returns seconds since the epoch."""
        self.registry = CollectorRegistry()
        self.to_refuse = 0
        """Number of upcoming deliveries to refuse."""
        self._deliveries = deliveries
        self._clock = clock
        self._counter = Counter(
            "receiver_deliveries_total", "Notifications by outcome.", ("channel", "status"), registry=self.registry
        )

    def refuses(self, channel: str) -> bool:
        """Whether this delivery must be refused; decrements `to_refuse` and counts the refusal if so."""
        if self.to_refuse <= 0:
            return False
        self.to_refuse -= 1
        self._counter.labels(channel, "refused").inc()
        log.info("delivery refused on request", channel=channel, left=self.to_refuse)
        return True

    def take(self, channel: str, payload: Any, notification: Notification) -> None:  # noqa: ANN401 -- any JSON
        """Record a valid notification."""
        self._add(
            Delivery(
                received_at=self._clock(),
                channel=channel,
                kind=notification.kind,
                status=notification.status,
                alerts=[asdict(alert) for alert in notification.alerts],
                payload=payload,
            )
        )

    def take_malformed(self, channel: str, body: bytes, error: MalformedError) -> None:
        """Record the start of a malformed body, and the error."""
        self._add(
            Delivery(
                received_at=self._clock(),
                channel=channel,
                kind="malformed",
                status="malformed",
                payload=_ROUTING_KEY.sub(rf"\1{NOT_KEPT}", body[:_EXCERPT].decode(errors="replace")),
                error=str(error),
            )
        )

    def mail(self, content: bytes, recipients: list[str]) -> str:
        """Record one mail, and return the SMTP reply."""
        try:
            mail = mails.parse(content, recipients)
        except MalformedError as error:
            if self.refuses(mails.UNKNOWN_CHANNEL):
                return "451 refused on request"
            self.take_malformed(mails.UNKNOWN_CHANNEL, content, error)
            return f"554 {' '.join(str(error).split()).encode('ascii', 'replace').decode()[:400]}"
        if self.refuses(mail.channel):
            return "451 refused on request"
        self.take(mail.channel, mail.payload, mail.notification)
        return "250 recorded"

    def _add(self, delivery: Delivery) -> None:
        self._deliveries.add(delivery)
        self._counter.labels(delivery.channel, delivery.status).inc()
        names = sorted({alert["alertname"] for alert in delivery.alerts})
        log.info("delivery", channel=delivery.channel, kind=delivery.kind, status=delivery.status, alerts=names)


def create_app(
    deliveries: DeliveryLog, *, clock: Callable[[], float] = time.time, smtp_port: int | None = None
) -> FastAPI:
    """The receiver's application. `clock` returns seconds since the epoch; without `smtp_port` it accepts no mail."""
    inbox = Inbox(deliveries, clock)

    app = FastAPI(
        title="Notification receiver",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=lambda _: _mailbox(inbox, smtp_port),
    )

    # All handlers are coroutines, so they run in the event loop's thread, and the log and the counter need no lock.
    async def deliver(channel: Channel, request: Request) -> Response:
        if inbox.refuses(channel):
            return PlainTextResponse("refused on request", status_code=500)
        body = await _body(request)
        try:
            payload, notification = parse(body)
        except MalformedError as error:
            inbox.take_malformed(channel, body, error)
            return PlainTextResponse(str(error), status_code=400)
        inbox.take(channel, payload, notification)
        if notification.kind is NotificationKind.PAGERDUTY:
            answer = {"status": "success", "message": "Event processed", "dedup_key": payload["dedup_key"]}
            return JSONResponse(answer, status_code=202)
        return PlainTextResponse("ok")  # Alertmanager treats any other text from a Slack URL as an error

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
        inbox.to_refuse = count
        return {"to_refuse": count}

    async def metrics() -> Response:
        return Response(generate_latest(inbox.registry), media_type=CONTENT_TYPE_LATEST)

    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    app.add_api_route("/deliver/{channel}", deliver, methods=["POST"])
    app.add_api_route("/deliveries", find, response_model=None)
    app.add_api_route("/deliveries", clear, methods=["DELETE"])
    app.add_api_route("/fail-next", fail_next, methods=["POST"])
    app.add_api_route("/metrics", metrics)
    app.add_api_route("/healthz", healthz)
    return app


@asynccontextmanager
async def _mailbox(inbox: Inbox, port: int | None) -> AsyncGenerator[None]:
    if port is None:
        yield
        return
    async with mails.mailbox(inbox.mail, port=port) as opened:
        log.info("listening for mail", port=opened)
        yield


async def _body(request: Request) -> bytes:
    """The body, cut after LARGEST + 1 bytes, which are enough to detect that it is too large."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            break
    return bytes(body[: LARGEST + 1])


def main() -> None:
    """Serve until SIGTERM."""
    logs.configure("receiver")
    file = pathlib.Path(os.environ.get("RECEIVER_DATA", "/data/deliveries.jsonl"))
    smtp_port = int(os.environ.get("RECEIVER_SMTP_PORT", "2525"))
    serve(create_app(DeliveryLog(file), smtp_port=smtp_port), int(os.environ.get("RECEIVER_PORT", "8080")))
