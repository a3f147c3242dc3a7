"""Traces: reads W3C trace context, and creates a span for every request.

Without a collector no span is recorded, but every request has a trace id for its log lines and its outgoing requests.
"""

import os
from collections.abc import Mapping
from os import urandom
from urllib.parse import urlsplit

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, StatusCode, TraceFlags, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from observability_fastapi.settings import InstrumentationError

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
TRACES_ENDPOINT = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
DISABLED = "OTEL_SDK_DISABLED"
PARENT = b"traceparent"
_STATE = b"tracestate"
_PROPAGATOR = TraceContextTextMapPropagator()


def endpoint(environment: Mapping[str, str] = os.environ) -> str | None:
    """The OTLP URL for spans according to the environment; None: no spans are sent. Raises InstrumentationError."""
    if environment.get(DISABLED, "").lower() == "true":
        return None
    for name, suffix in ((TRACES_ENDPOINT, ""), (ENDPOINT, "/v1/traces")):
        given = environment.get(name)
        if given:
            parts = urlsplit(given)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise InstrumentationError(f"{name} is {given!r}; allowed: http://host:port or https://host:port")
            return given.rstrip("/") + suffix
    return None


def configure(service: str, url: str) -> None:
    """Send the spans of `service` to an OTLP receiver, unless the service has configured OpenTelemetry itself."""
    if not _is_configured():
        # Imported here, so that services without a collector avoid the cost.
        from observability_fastapi import sending  # noqa: PLC0415

        sending.send(service, url)


def _is_configured() -> bool:
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


def global_tracer() -> Tracer | None:
    """The tracer of OpenTelemetry's global provider; None if no provider is configured."""
    return trace.get_tracer("observability_fastapi") if _is_configured() else None


def start(tracer: Tracer | None, method: str, headers: Mapping[bytes, bytes]) -> Span:
    """The span of a request; without a `tracer` it has ids but is not recorded."""
    parent = _parent(headers)
    if tracer is not None:
        span = tracer.start_span(method, parent, SpanKind.SERVER)
        if span.get_span_context().is_valid:
            return span
    given = trace.get_current_span(parent).get_span_context()
    return NonRecordingSpan(given if given.is_valid else _new_context())


def _parent(headers: Mapping[bytes, bytes]) -> Context | None:
    given = headers.get(PARENT)
    if given is None:
        return None
    carrier = {"traceparent": given.decode("latin-1"), "tracestate": headers.get(_STATE, b"").decode("latin-1")}
    return _PROPAGATOR.extract(carrier, context.get_current())


def _new_context() -> SpanContext:
    # Marked as sampled, so that services further down that record spans can decide for themselves.
    number = int.from_bytes(urandom(24))
    return SpanContext(number >> 64 or 1, number & (1 << 64) - 1 or 1, is_remote=False, trace_flags=TraceFlags(1))


def describe(span: Span, operation: str, status: int, about: Mapping[str, str]) -> None:
    """Set the name, attributes and status of a span at the end of its request."""
    span.update_name(operation)
    span.set_attributes({"operation": operation, "http.response.status_code": status, **about})
    if status >= 500:
        span.set_status(StatusCode.ERROR, f"answered {status}")
