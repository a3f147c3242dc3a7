"""POST /traces: sends an exact number of traces with an exact number of errors, for checks of the sampling."""

import asyncio
from dataclasses import asdict
from typing import Annotated, Any, Self

import structlog
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict, Field, model_validator

from simulator.engine.tracing import NotDeliveredError
from simulator.systems.speccursor import Upgrades

log = structlog.get_logger()

MOST = 5000
"""Maximum number of traces per call: about 70,000 spans, 15 s on one core."""


class TraceRequest(BaseModel):
    """Number of traces to send."""

    model_config = ConfigDict(extra="forbid")
    count: Annotated[int, Field(ge=1, le=MOST, strict=True)]
    errors: Annotated[int, Field(ge=0, strict=True)] = 0

    @model_validator(mode="after")
    def _errors_are_among_the_traces(self) -> Self:
        if self.errors > self.count:
            raise ValueError(f"errors is {self.errors}; allowed: 0 to count, which is {self.count}")
        return self


def add_sender(app: FastAPI, upgrades: Upgrades) -> None:
    """Add the route to `app`."""
    one_at_a_time = asyncio.Lock()

    async def send(requested: TraceRequest) -> dict[str, Any]:
        async with one_at_a_time:
            try:
                sent = await upgrades.send(count=requested.count, errors=requested.errors)
            except NotDeliveredError as error:
                raise HTTPException(503, str(error)) from error
        spans = sum(trace.spans for trace in sent)
        log.info("traces sent", operation="send-traces", count=requested.count, errors=requested.errors, spans=spans)
        return {
            "count": requested.count,
            "errors": requested.errors,
            "spans": spans,
            "traces": [asdict(trace) for trace in sent],
        }

    app.add_api_route("/traces", send, methods=["POST"])
