"""Traces: reads the caller's trace context, and creates a span for every request.

Without a collector no span is recorded, but every request has a trace id for its log lines. A context that the caller
sent is passed on to the services that this one calls. One that was made for the log lines is not: its flag would tell
these services whether to record the trace, which nobody has decided.
"""

import os
from collections.abc import Mapping
from functools import lru_cache
from os import urandom
from typing import NamedTuple
from urllib.parse import urlsplit

from opentelemetry import context, propagate, trace
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import Getter, TextMapPropagator
from opentelemetry.trace import Span, SpanContext, SpanKind, TraceFlags, Tracer
from starlette.types import ASGIApp, Scope

from observability_fastapi import spans
from observability_fastapi.settings import InstrumentationError

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
DISABLED = "OTEL_SDK_DISABLED"
PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL"
PARENT = b"traceparent"
PROTOCOLS = ("http/protobuf", "grpc")


class Receiver(NamedTuple):
    """Where telemetry is sent."""

    url: str
    protocol: str


class Started(NamedTuple):
    """The trace of a request."""

    ids: SpanContext
    span: Span | None
    """What ends with the request; None if nobody records, or another package does."""
    context: Context | None
    """OpenTelemetry's context during the request; None: it stays as it is."""


def receiver(signal: str, environment: Mapping[str, str] = os.environ) -> Receiver | None:
    """The OTLP receiver of `traces` or `metrics` in the environment; None: none. Raises InstrumentationError."""
    upper = signal.upper()
    exporter = environment.get(f"OTEL_{upper}_EXPORTER", "otlp").strip().lower()
    if environment.get(DISABLED, "").lower() == "true" or exporter == "none":
        return None
    protocol = environment.get(f"OTEL_EXPORTER_OTLP_{upper}_PROTOCOL") or environment.get(PROTOCOL) or PROTOCOLS[0]
    for name in (f"OTEL_EXPORTER_OTLP_{upper}_ENDPOINT", ENDPOINT):
        given = environment.get(name)
        if not given:
            continue
        parts = urlsplit(given)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InstrumentationError(f"{name} is {given!r}; allowed: http://host:port or https://host:port")
        if protocol not in PROTOCOLS:
            raise InstrumentationError(f"{PROTOCOL} is {protocol!r}; allowed: {', '.join(PROTOCOLS)}")
        whole = name != ENDPOINT or protocol == "grpc"
        return Receiver(given if whole else f"{given.rstrip('/')}/v1/{signal}", protocol)
    return None


def is_configured() -> bool:
    """Whether the service, or a launcher, has set up OpenTelemetry itself."""
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


def global_tracer() -> Tracer | None:
    """The tracer of OpenTelemetry's global provider; None if no provider is configured."""
    return trace.get_tracer("observability_fastapi") if is_configured() else None


def has_other_middleware(stack: ASGIApp | None) -> bool:
    """Whether OpenTelemetry's own ASGI middleware is in a stack of middlewares, and creates the spans."""
    seen: set[int] = set()
    while stack is not None and id(stack) not in seen:
        if type(stack).__module__.startswith("opentelemetry.instrumentation."):
            return True
        seen.add(id(stack))
        stack = getattr(stack, "app", None)
    return False


class _Headers(Getter[Mapping[bytes, bytes]]):
    def get(self, carrier: Mapping[bytes, bytes], key: str) -> list[str] | None:
        value = carrier.get(key.lower().encode("latin-1"))
        return None if value is None else [value.decode("latin-1")]

    def keys(self, carrier: Mapping[bytes, bytes]) -> list[str]:
        return [name.decode("latin-1") for name in carrier]


_GETTER = _Headers()


def start(tracer: Tracer | None, scope: Scope, headers: dict[bytes, bytes]) -> Started:
    """The trace of a request; without a `tracer` it has ids but is not recorded."""
    parent = _parent(headers)
    if tracer is not None:
        method = scope.get("method", "GET")
        name = method if method in spans.METHODS else "HTTP"
        span = tracer.start_span(name, parent, SpanKind.SERVER, spans.at_start(scope, method, headers))
        if span.get_span_context().is_valid:
            return Started(span.get_span_context(), span, trace.set_span_in_context(span, parent))
    given = trace.get_current_span(parent).get_span_context()
    return Started(given if given.is_valid else _new_ids(), None, parent)


def joined(headers: Mapping[bytes, bytes]) -> Span | None:
    """The span of another package's middleware around this one, if it is that of this request."""
    span = trace.get_current_span()
    if not span.is_recording() or getattr(span, "kind", None) is not SpanKind.SERVER:
        return None
    # A caller in the same process has a span of its own, and names it as the parent.
    own = trace.format_span_id(span.get_span_context().span_id).encode("ascii")
    return None if own in headers.get(PARENT, b"") else span


def _parent(headers: Mapping[bytes, bytes]) -> Context | None:
    """The context that the caller sent, by the propagators that OTEL_PROPAGATORS names; None without one."""
    propagator = propagate.get_global_textmap()
    if headers.keys().isdisjoint(_fields(propagator)):
        return None
    return propagator.extract(headers, context.get_current(), _GETTER)


@lru_cache(maxsize=1)
def _fields(propagator: TextMapPropagator) -> frozenset[bytes]:
    return frozenset(name.lower().encode("latin-1") for name in propagator.fields)


def _new_ids() -> SpanContext:
    number = int.from_bytes(urandom(24))
    return SpanContext(number >> 64 or 1, number & (1 << 64) - 1 or 1, is_remote=False, trace_flags=TraceFlags(0))
