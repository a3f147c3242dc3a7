"""The request that is being handled, for log lines and for the service itself."""

from contextvars import ContextVar
from typing import NamedTuple


class Request(NamedTuple):
    """Fields of every log line of a request."""

    service: str
    request_id: str
    project_id: str
    """The caller's project if it is valid, otherwise `invalid` or `none`. In metrics it may be `other`."""


CURRENT: ContextVar[Request | None] = ContextVar("observability_fastapi_request", default=None)


def current() -> Request | None:
    """The request that this task or thread handles; None outside of a request."""
    return CURRENT.get()
