"""The API (telemetry contract, section 5): a small service behind a gateway, with a storage, a load and two faults."""

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
"""Items have the numbers 1 to this."""
BROKEN = 666
"""The item that storage cannot read: its requests fail, those of all others never do by themselves."""
_AT_ONCE = 100
"""Requests of the own load that may wait for an answer at the same time; a burst may pass it."""
# Fault -> requests at once when it starts. In five minutes 600 healthy ones pass: half of 250 are a seventh of all, and
# 20 are more than the hundredth that p99 leaves out.
_BURSTS = {"errors": 250, "slow": 20}

FAULTS = (
    Fault(
        switch="errors",
        alert="ApiErrorRateHigh",
        text="A share of all requests is answered 503, after a burst of them; the alert's limit is 10 %.",
        amount=Amount(unit="of all requests", default=0.5, least=0.0, most=1.0),
    ),
    Fault(
        switch="slow",
        alert="ApiLatencyHigh",
        text="Every request takes this much longer, after a burst of them; the alert's limit is a p99 of 1 s.",
        amount=Amount(unit="seconds", default=2.0, least=0.1, most=20.0),
    ),
)

ItemId = Annotated[int, Path(ge=1, le=1_000_000)]


class Item(BaseModel):
    """An item as it is created."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(min_length=1, max_length=100)]


class Storage:
    """Where items are: every access is a span of its own, takes a few milliseconds, and fails when told to."""

    def __init__(self, tracing: Tracing, switches: Switchboard, rng: random.Random) -> None:
        self._tracer = tracing.tracer(SERVICE)
        self._switches = switches
        self._rng = rng

    async def access(self, operation: str, *, broken: bool = False) -> None:
        """One access. Raises HTTPException 503 when it fails."""
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
    """Make `app` the API; `rng` decides durations and what fails, `clock` (seconds) what a request took."""
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
    """Requests of a few projects to the API, in the same process: no port, no network."""

    def __init__(self, app: FastAPI, switches: Switchboard, *, rng: random.Random | None = None) -> None:
        """More at once when one of the `switches` is switched on; `rng` decides who asks for what."""
        self._switches = switches
        self._on: frozenset[str] = frozenset()
        # A handler that raises is a 500 to the client, as it is over the network.
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://api")
        self._rng = rng or random.Random()  # noqa: S311 - not about secrets
        self._running: set[asyncio.Task[httpx.Response]] = set()

    def start(self) -> None:
        """Start one request; its answer is not waited for. Slow answers do not make the load less, up to a limit."""
        on = frozenset(name for name in _BURSTS if self._switches.active(name))
        for _ in range(sum(_BURSTS[name] for name in on - self._on)):
            self._ask()
        self._on = on
        if len(self._running) < _AT_ONCE:
            self._ask()

    def _ask(self) -> None:
        task = asyncio.create_task(self.request())
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def request(self) -> httpx.Response:
        """One request: most are fine, some ask for what is not there, a few in a thousand hit the broken item."""
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
