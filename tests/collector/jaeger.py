"""What tests of the real Jaeger share: where it listens, and a trace to store."""

import time

import httpx

from components.traces.jaeger_config import Listen
from local.ports import free_ports

TRACE = "0af7651916cd43dd8448eb211c80319c"


def loopback() -> Listen:
    """Addresses of one more Jaeger."""
    grpc, http, query, query_grpc, metrics, health = free_ports(6)
    return Listen(
        host="127.0.0.1", grpc=grpc, http=http, query=query, query_grpc=query_grpc, metrics=metrics, health=health
    )


def health(listen: Listen) -> str:
    """URL that answers 200 when the Jaeger there is ready."""
    return f"http://127.0.0.1:{listen.health}/status"


def store(listen: Listen) -> None:
    """The trace: one span of the service `till`; a success is the acknowledgement that it is stored."""
    now = time.time_ns()
    span = {
        "traceId": TRACE,
        "spanId": "b7ad6b7169203331",
        "name": "checkout",
        "kind": 2,
        "startTimeUnixNano": str(now),
        "endTimeUnixNano": str(now + 1_000_000),
    }
    service = {"attributes": [{"key": "service.name", "value": {"stringValue": "till"}}]}
    body = {"resourceSpans": [{"resource": service, "scopeSpans": [{"spans": [span]}]}]}
    httpx.post(f"http://127.0.0.1:{listen.http}/v1/traces", json=body, timeout=60).raise_for_status()
