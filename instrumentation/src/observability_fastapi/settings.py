"""The settings of `instrument`: what they mean, and their defaults. checks.py checks them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Literal, NamedTuple, TypedDict

from opentelemetry.trace import Tracer
from prometheus_client import REGISTRY, CollectorRegistry
from starlette.datastructures import Headers
from starlette.types import Scope

from observability_fastapi.exemplars import EVERY_TRACE

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
PROJECT_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
MAX_PROJECTS = 100
MAX_LABEL_VALUES = 100
NO_PROJECT = "none"
OTHER_PROJECT = "other"
INVALID_PROJECT = "invalid"
RESERVED_PROJECTS = (NO_PROJECT, OTHER_PROJECT, INVALID_PROJECT)
"""Labels of requests whose project is not named; no caller's project is called so."""

Label = Callable[[Scope], str]
"""Gives a label's value for the scope of a request, after its response."""


class Measured(NamedTuple):
    """A request that has been counted, as `on_request` gets it."""

    scope: Scope
    endpoint: str
    method: str
    status: int
    project_id: str
    seconds: float
    response_headers: Headers


class InstrumentationError(ValueError):
    """The application cannot be instrumented; the message names each invalid setting, its value and allowed values."""


class Options(TypedDict, total=False):
    """Options of `instrument` besides the application and the service's name; each has a default.

    All but `registry`, `labels`, `on_request`, `tracer` and `clock` are also read from the environment: OBSERVABILITY_
    and the name in upper case, with commas between several values. An argument takes precedence.
    """

    project_header: str
    """Header with the project of the caller. Default: X-Project-Id."""
    project_pattern: str
    """Regular expression that a project must match in full; other values become `invalid`.

    Default: 1 to 63 of A-Z a-z 0-9 . _ -
    """
    projects: Collection[str]
    """The only projects that metrics name. Default: the first `max_projects` that appear."""
    max_projects: int
    """Maximum number of projects that metrics name; further ones become `other`. Default: 100."""
    buckets: Sequence[float]
    """Ascending upper bounds of the duration histogram in seconds, without +Inf. Default: 5 ms to 30 s in 12 steps."""
    until: Literal["last byte", "first byte"]
    """What ends the duration of a request; with `first byte`, a stream counts until it begins. Default: last byte."""
    in_flight: bool
    """Also expose `requests_in_flight`. Default: false."""
    sizes: bool
    """Also expose `request_size_bytes` and `response_size_bytes`. Default: false."""
    labels: Mapping[str, Label]
    """Labels of the service itself: name -> function that gives the value for a request's scope. Default: none."""
    max_label_values: int
    """Maximum number of values of each of these labels; further ones become `other`. Default: 100."""
    on_request: Callable[[Measured], None] | None
    """Called after each counted request, for metrics of the service's own. It runs in the event loop. Default: None."""
    prefix: str
    """Put before the names of the metrics, with `_` between. Default: none."""
    compatible_with: Literal["prometheus-fastapi-instrumentator", "starlette-exporter"] | None
    """Also expose the metrics under the names of this package. Default: None."""
    metrics_path: str | None
    """Path of the metrics, handled before every route and middleware; None: not served. Default: /metrics."""
    exclude: Collection[str]
    """Paths that are not measured, including everything below them; `/` is only itself. Default: none."""
    exclude_patterns: Collection[str]
    """Regular expressions; paths that one of them matches in full are not measured. Default: none."""
    exclude_methods: Collection[str]
    """Methods that are not measured, such as OPTIONS. Default: none."""
    registry: CollectorRegistry
    """Registry of the metrics, which `metrics_path` serves. Default: that of the Prometheus client."""
    push: bool
    """Send all metrics of the registry to the OTLP receiver of the environment, every 15 seconds. Default: false."""
    logs: bool
    """Make structlog and the standard library write JSON lines to standard output. Default: true."""
    log_level: str | None
    """Lowest level that is written. Default: INFO, or that of the root logger if the service has set another one."""
    log_requests: bool
    """Write one line per request. Default: true."""
    tracing: bool
    """Give every request a trace. Default: true."""
    exemplar_percentage: float
    """Percentage of the traces that the collector's tail sampling keeps, besides slow and failed ones; a trace that it
    drops becomes no exemplar. The platform's stack calls it `traceSamplingPercentage`. Default: 100.
    """
    exemplar_slower_than: float
    """Seconds from which the collector keeps a trace in any case, `traceSlowerThan` of the stack. Default: 5."""
    tracer: Tracer
    """Tracer that creates the spans. Default: one of OpenTelemetry's global provider."""
    clock: Callable[[], float]
    """Monotonic clock in seconds; for tests. Default: time.perf_counter."""


def _no_labels() -> Mapping[str, Label]:
    return {}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Checked settings."""

    service: str
    project_header: str = "X-Project-Id"
    project_pattern: str = PROJECT_PATTERN
    projects: Collection[str] | None = None
    max_projects: int = MAX_PROJECTS
    buckets: Sequence[float] = BUCKETS
    until: Literal["last byte", "first byte"] = "last byte"
    in_flight: bool = False
    sizes: bool = False
    labels: Mapping[str, Label] = field(default_factory=_no_labels)
    max_label_values: int = MAX_LABEL_VALUES
    on_request: Callable[[Measured], None] | None = None
    prefix: str = ""
    compatible_with: str | None = None
    metrics_path: str | None = "/metrics"
    exclude: Collection[str] = ()
    exclude_patterns: Collection[str] = ()
    exclude_methods: Collection[str] = ()
    registry: CollectorRegistry = REGISTRY
    push: bool = False
    logs: bool = True
    log_level: str | None = None
    log_requests: bool = True
    tracing: bool = True
    exemplar_percentage: float = EVERY_TRACE
    exemplar_slower_than: float = 5.0
    tracer: Tracer | None = None
    clock: Callable[[], float] = perf_counter
