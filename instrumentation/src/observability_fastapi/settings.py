"""The settings of `instrument`, checked before the application is changed."""

import math
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TypedDict, Unpack

from opentelemetry.trace import Tracer
from prometheus_client import REGISTRY, CollectorRegistry

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
PROJECT_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
MAX_PROJECTS = 100
LARGEST_MAX_PROJECTS = 10_000
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,127}")
_PATH = re.compile(r"/[^\s?#{}]*")


class InstrumentationError(ValueError):
    """The application cannot be instrumented; the message names each invalid setting, its value and allowed values."""


class Options(TypedDict, total=False):
    """Options of `instrument` besides the application and the service's name; each has a default."""

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
    metrics_path: str | None
    """Path of the metrics, handled before every route and middleware; None: not served. Default: /metrics."""
    exclude: Collection[str]
    """Paths that are not measured, including everything below them. Default: none."""
    registry: CollectorRegistry
    """Registry of the metrics, which `metrics_path` serves. Default: that of the Prometheus client."""
    logs: bool
    """Make structlog and the standard library write JSON lines to standard output. Default: true."""
    log_requests: bool
    """Write one line per request. Default: true."""
    tracing: bool
    """Give every request a trace. Default: true."""
    tracer: Tracer
    """Tracer that creates the spans. Default: one of OpenTelemetry's global provider."""
    clock: Callable[[], float]
    """Monotonic clock in seconds; for tests. Default: time.perf_counter."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Checked settings."""

    service: str
    project_header: str = "X-Project-Id"
    project_pattern: str = PROJECT_PATTERN
    projects: Collection[str] | None = None
    max_projects: int = MAX_PROJECTS
    buckets: Sequence[float] = BUCKETS
    metrics_path: str | None = "/metrics"
    exclude: Collection[str] = ()
    registry: CollectorRegistry = REGISTRY
    logs: bool = True
    log_requests: bool = True
    tracing: bool = True
    tracer: Tracer | None = None
    clock: Callable[[], float] = perf_counter


def check(service: str, **options: Unpack[Options]) -> Settings:
    """The checked settings. Raises InstrumentationError with all problems."""
    unknown = sorted(set(options) - Options.__annotations__.keys())
    if unknown:
        allowed = ", ".join(sorted(Options.__annotations__))
        raise InstrumentationError(f"there is no setting {', '.join(unknown)}; allowed: {allowed}")
    settings = Settings(service=service, **options)
    problems = [*_names(settings), *_projects(settings), *_numbers(settings), *_paths(settings)]
    if problems:
        raise InstrumentationError("; ".join(problems))
    return settings


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and bool(pattern.fullmatch(value))


def _names(settings: Settings) -> list[str]:
    problems: list[str] = []
    if not _matches(_SERVICE, settings.service):
        allowed = "1 to 128 of A-Z a-z 0-9 . _ / -, the first one a letter or digit"
        problems.append(f"service is {settings.service!r}; allowed: {allowed}")
    if not _matches(_HEADER, settings.project_header):
        problems.append(f"project_header is {settings.project_header!r}; allowed: the name of a header")
    return problems


def _projects(settings: Settings) -> list[str]:
    problems: list[str] = []
    try:
        pattern = re.compile(settings.project_pattern)
    except (re.error, TypeError) as error:
        return [f"project_pattern is {settings.project_pattern!r}; allowed: a regular expression ({error})"]
    if isinstance(settings.projects, str):
        problems.append(f"projects is {settings.projects!r}; allowed: a list or set of names")
    else:
        wrong = [name for name in settings.projects or () if not _matches(pattern, name)]
        if wrong:
            problems.append(f"projects has {', '.join(map(repr, wrong))}; allowed: what {pattern.pattern} matches")
    if not (_is_whole(settings.max_projects) and 0 <= settings.max_projects <= LARGEST_MAX_PROJECTS):
        problems.append(f"max_projects is {settings.max_projects!r}; allowed: 0 to {LARGEST_MAX_PROJECTS}")
    return problems


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _numbers(settings: Settings) -> list[str]:
    try:
        bounds = [float(bound) for bound in settings.buckets]
    except (TypeError, ValueError):
        bounds = []
    if not bounds or bounds != sorted(set(bounds)) or not 0 < bounds[0] <= bounds[-1] < math.inf:
        return [f"buckets is {settings.buckets!r}; allowed: rising seconds above 0, without +Inf"]
    return []


def _paths(settings: Settings) -> list[str]:
    given = [("metrics_path", settings.metrics_path)] if settings.metrics_path is not None else []
    if isinstance(settings.exclude, str):
        return [f"exclude is {settings.exclude!r}; allowed: a list of paths such as ['/healthz']"]
    given += [("exclude", path) for path in settings.exclude]
    return [
        f"{key} is {path!r}; allowed: a path such as /healthz, without parameters"
        for key, path in given
        if not _matches(_PATH, path)
    ]
