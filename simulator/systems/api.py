"""The API: a small service behind a gateway, with a simulated storage, its own load, and two faults."""

import asyncio
import random
import time
from collections.abc import Callable
from typing import Annotated

import httpx
from fastapi import FastAPI, HTTPException, Path
from opentelemetry.trace import SpanKind, StatusCode
from pydantic import BaseModel, ConfigDict, Field

from simulator.engine.faults import Amount, Fault, Switchboard
from simulator.engine.instrumentation import PROJECTS, SERVICE, instrument_api
from simulator.engine.request_metrics import RequestMetrics
from simulator.engine.tracing import Tracing

PERIOD = 0.5
"""Seconds between two requests of the API's own load."""
ITEMS = 1000
"""Number of items; their ids start at 1."""
BROKEN = 666
"""Id of the only item that storage cannot read; without a fault, only its requests fail."""
_AT_ONCE = 100
"""Maximum number of concurrent requests of the API's own load; bursts may exceed it."""
# Fault -> number of requests at its start. Five minutes have 600 healthy requests: half of 250 are a seventh of all,
# and 20 are more than the hundredth that p99 ignores.
_BURSTS = {"errors": 250, "slow": 20}

FAULTS = (
    Fault(
        switch="errors",
        alert="ApiErrorRateHigh",
        text="A share of all requests is answered with 503, after a burst of requests; the alert's limit is 10 %.",
        amount=Amount(unit="of all requests", default=0.5, least=0.0, most=1.0),
    ),
    Fault(
        switch="slow",
        alert="ApiLatencyHigh",
        text="Every request takes this much longer, after a burst of requests; the alert's limit is a p99 of 1 s.",
        amount=Amount(unit="seconds", default=2.0, least=0.1, most=20.0),
    ),
)

ItemId = Annotated[int, Path(ge=1, le=1_000_000)]


class Item(BaseModel):
    """Body of a request that creates an item."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(min_length=1, max_length=100)]


class Storage:
    """Storage of items: every access has a span, takes a few milliseconds, and fails or is slow with a fault."""

    def __init__(self, tracing: Tracing, switches: Switchboard, rng: random.Random) -> None:
        self._tracer = tracing.tracer(SERVICE)
        self._switches = switches
        self._rng = rng

    async def access(self, operation: str, *, broken: bool = False) -> None:
        """Access the storage once. Raises HTTPException 503 if the access fails."""
        attributes = {"operation": operation, "db.system.name": "postgresql"}
        with self._tracer.start_as_current_span(operation, kind=SpanKind.CLIENT, attributes=attributes) as span:
            await asyncio.sleep(self._rng.lognormvariate(-4.5, 0.6) + self._switches.amount("slow"))
            if broken or self._rng.random() < self._switches.amount("errors"):
                span.set_status(StatusCode.ERROR, "storage does not answer")
                raise HTTPException(503, "storage does not answer")


def add_routes(
    app: FastAPI,
    tracing: Tracing,
    switches: Switchboard,
    metrics: RequestMetrics,
    *,
    rng: random.Random | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> None:
    """Add the API to `app`. `rng` decides durations and failures; `clock` (seconds) measures requests."""
    storage = Storage(tracing, switches, rng or random.Random())  # noqa: S311 - not about secrets

    async def read_item(item_id: ItemId) -> dict[str, str | int]:
        await storage.access("storage.read", broken=item_id == BROKEN)
        if item_id > ITEMS:
            raise HTTPException(404, f"no item {item_id}; there are 1 to {ITEMS}")
        return {"id": item_id, "name": f"item {item_id}"}

    async def list_items() -> dict[str, int]:
        await storage.access("storage.list")
        return {"count": ITEMS}

    async def create_item(item: Item) -> dict[str, str | int]:
        await storage.access("storage.write")
        return {"id": ITEMS, "name": item.name}

    app.add_api_route("/items/{item_id}", read_item)
    app.add_api_route("/items", list_items)
    app.add_api_route("/items", create_item, methods=["POST"], status_code=201)
    instrument_api(app, tracing, metrics, clock)


class Load:
    """Requests of a few projects to the API, in the same process, without a port or network."""

    def __init__(self, app: FastAPI, switches: Switchboard, *, rng: random.Random | None = None) -> None:
        """Sends a burst when one of the `switches` goes on; `rng` decides projects and paths."""
        self._switches = switches
        self._on: frozenset[str] = frozenset()
        # As over the network, an exception in a handler becomes a 500 response.
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://api")
        self._rng = rng or random.Random()  # noqa: S311 - not about secrets
        self._running: set[asyncio.Task[httpx.Response]] = set()

    def start(self) -> None:
        """Start one request without waiting for its answer, so that slow answers barely reduce the load."""
        on = frozenset(name for name in _BURSTS if self._switches.active(name))
        for _ in range(sum(_BURSTS[name] for name in on - self._on)):
            self._start_request()
        self._on = on
        if len(self._running) < _AT_ONCE:
            self._start_request()

    def _start_request(self) -> None:
        task = asyncio.create_task(self.request())
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def request(self) -> httpx.Response:
        """Send one request: most succeed, some ask for missing items, a few in a thousand hit the broken item."""
        method, path, body = self._pick()
        headers = {"X-Project-Id": self._rng.choice(PROJECTS[:3])}
        return await self._client.request(method, path, json=body, headers=headers)

    def _pick(self) -> tuple[str, str, dict[str, str] | None]:
        chance = self._rng.random()
        number = self._rng.randint(1, ITEMS)
        if chance < 0.60:
            return "GET", f"/items/{number if number != BROKEN else 1}", None
        if chance < 0.80:
            return "GET", "/items", None
        if chance < 0.95:
            return "POST", "/items", {"name": f"item {number}"}
        if chance < 0.98:
            return "GET", f"/items/{ITEMS + number}", None
        if chance < 0.995:
            return "POST", "/items", {}
        return "GET", f"/items/{BROKEN}", None
