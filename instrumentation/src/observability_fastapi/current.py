"""The request that is being handled, for log lines and for the service itself."""

from contextvars import ContextVar
from typing import NamedTuple

from opentelemetry import trace
from structlog.typing import EventDict


class Request(NamedTuple):
    """Fields of every log line of a request."""

    service: str
    request_id: str
    project_id: str
    """The caller's project if it is valid, otherwise `invalid` or `none`. In metrics it may be `other`."""
    trace_id: str = ""
    """32 hexadecimal digits; empty without tracing."""
    span_id: str = ""
    """Span of the request, 16 hexadecimal digits; empty without tracing."""


CURRENT: ContextVar[Request | None] = ContextVar("observability_fastapi_request", default=None)


def current() -> Request | None:
    """The request that this task or thread handles; None outside of a request."""
    return CURRENT.get()


def trace_ids() -> tuple[str, str]:
    """Trace id and span id for a log line: of OpenTelemetry's current span, else of the request; empty without one."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        return trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id)
    request = CURRENT.get()
    return (request.trace_id, request.span_id) if request is not None else ("", "")


def add_request(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Processor for a structlog configuration of the service: adds the request's fields where the event has none."""
    request = CURRENT.get()
    if request is not None:
        event.setdefault("service", request.service)
        event.setdefault("request_id", request.request_id)
        event.setdefault("project_id", request.project_id)
    trace_id, span_id = trace_ids()
    if trace_id and "trace_id" not in event:
        event["trace_id"], event["span_id"] = trace_id, span_id
    return event
