"""The request that is being handled, for log lines and for services that ask."""

from contextvars import ContextVar
from typing import NamedTuple


class Request(NamedTuple):
    """What every log line of a request carries."""

    service: str
    request_id: str
    project_id: str
    """As the caller sent it, when it is valid: metrics bound it further."""


CURRENT: ContextVar[Request | None] = ContextVar("observability_fastapi_request", default=None)


def current() -> Request | None:
    """The request that this task or thread handles; None outside of one."""
    return CURRENT.get()
