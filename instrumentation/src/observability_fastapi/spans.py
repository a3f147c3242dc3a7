"""Attributes of a request's span, by OpenTelemetry's conventions for HTTP servers.

`operation`, `request_id` and `project_id` come on top, with the values that log lines and metrics have.
"""

from typing import Any

from opentelemetry.trace import Span, StatusCode
from opentelemetry.util.types import AttributeValue
from starlette.types import Scope

from observability_fastapi.current import Request
from observability_fastapi.endpoints import UNMATCHED

OTHER_METHOD = "OTHER"
"""Label of unknown methods, because callers can invent any number of methods."""
METHODS = {
    name: name for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY")
}
LONGEST_PATH = 256
"""Characters of a path in spans and log lines."""


def at_start(scope: Scope, method: str, headers: dict[bytes, bytes]) -> dict[str, AttributeValue]:
    """What is known when the request comes; a sampler may decide by it."""
    found: dict[str, AttributeValue] = {
        "http.request.method": method if method in METHODS else "_OTHER",
        "url.path": path(scope),
        "url.scheme": scope.get("scheme", "http"),
        "network.protocol.version": scope.get("http_version", "1.1"),
    }
    if method not in METHODS:
        found["http.request.method_original"] = method[:LONGEST_PATH]
    _address(found, "server", scope.get("server"))
    _address(found, "client", scope.get("client"))
    host = headers.get(b"host")
    if host:
        found["server.address"] = host.decode("latin-1").rpartition(":")[0] or host.decode("latin-1")
    agent = headers.get(b"user-agent")
    if agent:
        found["user_agent.original"] = agent.decode("latin-1")[:LONGEST_PATH]
    return found


def path(scope: Scope) -> str:
    """The path of a request, cut after LONGEST_PATH characters."""
    found: str = scope.get("path", "")
    return found if len(found) <= LONGEST_PATH else f"{found[:LONGEST_PATH]}..."


def describe(
    span: Span, operation: str, status: int, about: dict[str, str], error: BaseException | None = None
) -> None:
    """Set the name, attributes and status of a span at the end of its request."""
    method, _, route = operation.partition(" ")
    name = "HTTP" if method == OTHER_METHOD else method
    attributes: dict[str, AttributeValue] = {"operation": operation, "http.response.status_code": status, **about}
    if route and route != UNMATCHED:
        attributes["http.route"] = route
        name = f"{name} {route}"
    span.update_name(name)
    if status >= 500 or error is not None:
        attributes["error.type"] = str(status) if error is None else type(error).__qualname__
        span.set_status(StatusCode.ERROR, f"answered {status}")
    span.set_attributes(attributes)


def of_request(request: Request) -> dict[str, str]:
    """The attributes that log lines have, too."""
    return {"request_id": request.request_id, "project_id": request.project_id}


def _address(found: dict[str, AttributeValue], side: str, address: Any) -> None:  # noqa: ANN401 - as in the scope
    if address:
        found[f"{side}.address"] = str(address[0])
        if address[1] is not None:
            found[f"{side}.port"] = int(address[1])
