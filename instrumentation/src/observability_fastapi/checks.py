"""Checks the settings, before the application is changed. What has been checked is what is used."""

import logging
import math
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from typing import Any

from opentelemetry.trace import Tracer
from prometheus_client import CollectorRegistry

from observability_fastapi.counting import compatibility
from observability_fastapi.counting.metrics import LABELS
from observability_fastapi.exemplars import EVERY_TRACE
from observability_fastapi.settings import RESERVED_PROJECTS, InstrumentationError, Options, Settings

LARGEST_LIMIT = 10_000
LONGEST_TRACE = 3600.0
"""Seconds: a trace that takes longer is slow for every stack (`traceSlowerThan` is at most 1h)."""
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,127}")
_PATH = re.compile(r"/[^\s?#{}]*")
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_METHOD = re.compile(r"[A-Z]+")
_SWITCHES = ("in_flight", "sizes", "push", "logs", "log_requests", "tracing")
_LISTS = ("projects", "buckets", "exclude", "exclude_patterns", "exclude_methods")
_KINDS = {
    "buckets": "rising seconds above 0, without +Inf",
    "exclude": "a list of paths such as ['/healthz']",
    "exclude_patterns": "a list of regular expressions",
}
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_UNTIL = ("last byte", "first byte")

Check = Callable[[Settings], Iterable[str]]
"""Gives the problems of some settings: key, value and allowed values of each."""


def check(service: object, options: Mapping[str, Any]) -> Settings:
    """The checked settings. Raises InstrumentationError with all problems."""
    unknown = sorted(options.keys() - Options.__annotations__.keys())
    if unknown:
        allowed = ", ".join(sorted(Options.__annotations__))
        raise InstrumentationError(f"there is no setting {', '.join(unknown)}; allowed: {allowed}")
    given = dict(options)
    problems = [problem for key in _LISTS if key in given for problem in _listed(given, key)]
    settings = Settings(service=service, **given)  # type: ignore[arg-type] # checked now
    if not problems:
        problems = [problem for one in _CHECKS for problem in one(settings)]
    if problems:
        raise InstrumentationError("; ".join(problems))
    return settings


def _listed(given: dict[str, Any], key: str) -> Iterable[str]:
    """Replaces a collection by a tuple: a generator could be read once only."""
    value = given[key]
    if key == "projects" and value is None:
        return
    if isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping):
        with suppress(TypeError, ValueError):
            given[key] = tuple(float(bound) for bound in value) if key == "buckets" else tuple(value)
            return
    yield f"{key} is {value!r}; allowed: {_KINDS.get(key, 'a list of names')}"


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and bool(pattern.fullmatch(value))


def _names(settings: Settings) -> Iterable[str]:
    if not _matches(_SERVICE, settings.service):
        allowed = "1 to 128 of A-Z a-z 0-9 . _ / -, the first one a letter or digit"
        yield f"service is {settings.service!r}; allowed: {allowed}"
    if not _matches(_HEADER, settings.project_header):
        yield f"project_header is {settings.project_header!r}; allowed: the name of a header"
    if settings.prefix != "" and not _matches(_NAME, settings.prefix):
        yield f"prefix is {settings.prefix!r}; allowed: letters, digits and _, the first one no digit"


def _projects(settings: Settings) -> Iterable[str]:
    try:
        pattern = re.compile(settings.project_pattern)
    except (re.error, TypeError) as error:
        yield f"project_pattern is {settings.project_pattern!r}; allowed: a regular expression ({error})"
        return
    wrong = [name for name in settings.projects or () if not _matches(pattern, name)]
    if wrong:
        yield f"projects has {', '.join(map(repr, wrong))}; allowed: what {pattern.pattern} matches"
    reserved = [name for name in settings.projects or () if name in RESERVED_PROJECTS]
    if reserved:
        yield f"projects has {', '.join(map(repr, reserved))}; allowed: all but {', '.join(RESERVED_PROJECTS)}"


def _numbers(settings: Settings) -> Iterable[str]:
    for key in ("max_projects", "max_label_values"):
        value = getattr(settings, key)
        if isinstance(value, bool) or not (isinstance(value, int) and 0 <= value <= LARGEST_LIMIT):
            yield f"{key} is {value!r}; allowed: 0 to {LARGEST_LIMIT}"
    for key, most in (("exemplar_percentage", EVERY_TRACE), ("exemplar_slower_than", LONGEST_TRACE)):
        value = getattr(settings, key)
        # Not a number is not between two numbers.
        if isinstance(value, bool) or not (isinstance(value, int | float) and 0 <= value <= most):
            yield f"{key} is {value!r}; allowed: 0 to {most:g}"
    bounds = list(settings.buckets)
    if not bounds or bounds != sorted(set(bounds)) or not 0 < bounds[0] <= bounds[-1] < math.inf:
        yield f"buckets is {list(settings.buckets)!r}; allowed: rising seconds above 0, without +Inf"


def _choices(settings: Settings) -> Iterable[str]:
    for key in _SWITCHES:
        value = getattr(settings, key)
        if not isinstance(value, bool):
            yield f"{key} is {value!r}; allowed: True or False"
    choices: tuple[tuple[str, Collection[str | None]], ...] = (
        ("until", _UNTIL),
        ("compatible_with", (None, *compatibility.NAMES)),
        ("log_level", (None, *_LEVELS)),
    )
    for key, allowed in choices:
        value = getattr(settings, key)
        if value not in allowed:
            yield f"{key} is {value!r}; allowed: {', '.join(str(one) for one in allowed)}"


def _labels(settings: Settings) -> Iterable[str]:
    taken = (*LABELS, "le", "quantile")
    labels: Any = settings.labels
    if not isinstance(labels, Mapping):
        yield f"labels is {labels!r}; allowed: names, each with a function"
        return
    for name, function in settings.labels.items():
        if not _matches(_NAME, name) or name.startswith("__") or name in taken:
            yield f"labels has {name!r}; allowed: letters, digits and _, and none of {', '.join(taken)}"
        if not callable(function):
            yield f"labels has {function!r} for {name!r}; allowed: a function that takes the scope of a request"


def _paths(settings: Settings) -> Iterable[str]:
    given = [("metrics_path", settings.metrics_path)] if settings.metrics_path is not None else []
    given += [("exclude", path) for path in settings.exclude]
    for key, path in given:
        if not _matches(_PATH, path):
            yield f"{key} is {path!r}; allowed: a path such as /healthz, without parameters"
    for pattern in settings.exclude_patterns:
        try:
            re.compile(pattern)
        except (re.error, TypeError) as error:
            yield f"exclude_patterns has {pattern!r}; allowed: a regular expression ({error})"
    for method in settings.exclude_methods:
        if not _matches(_METHOD, method):
            yield f"exclude_methods has {method!r}; allowed: methods in upper case, such as OPTIONS"


def _objects(settings: Settings) -> Iterable[str]:
    registry: Any = settings.registry
    tracer: Any = settings.tracer
    if not isinstance(registry, CollectorRegistry):
        yield f"registry is {registry!r}; allowed: a CollectorRegistry of the Prometheus client"
    if tracer is not None and not isinstance(tracer, Tracer):
        yield f"tracer is {tracer!r}; allowed: a Tracer of OpenTelemetry"
    if settings.on_request is not None and not callable(settings.on_request):
        yield f"on_request is {settings.on_request!r}; allowed: a function that takes a Measured"
    if not callable(settings.clock):
        yield f"clock is {settings.clock!r}; allowed: a function without arguments that gives seconds"


_CHECKS: tuple[Check, ...] = (_names, _projects, _numbers, _choices, _labels, _paths, _objects)


def level(settings: Settings) -> int | None:
    """The number of `log_level`; None: not set."""
    return None if settings.log_level is None else logging.getLevelNamesMapping()[settings.log_level]
