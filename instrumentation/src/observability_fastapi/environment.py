"""Settings from the environment: OBSERVABILITY_ and the name of the setting in upper case."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from observability_fastapi.settings import InstrumentationError

PREFIX = "OBSERVABILITY_"
ENABLED = "OBSERVABILITY_ENABLED"
_SERVICE = ("OBSERVABILITY_SERVICE", "OTEL_SERVICE_NAME")
_SWITCH = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


def _text(value: str) -> str:
    return value


def _switch(value: str) -> bool:
    return _SWITCH[value.strip().lower()]


def _list(value: str) -> tuple[str, ...]:
    return tuple(one.strip() for one in value.split(",") if one.strip())


def _seconds(value: str) -> tuple[float, ...]:
    return tuple(float(one) for one in _list(value))


def _text_or_none(value: str) -> str | None:
    return value or None


_SWITCHED = (_switch, "true or false")
_TEXT = (_text, "a text")
_LIST = (_list, "texts with commas between")
_WHOLE = (int, "a whole number")
_NUMBER = (float, "a number")
_READERS: dict[str, tuple[Callable[[str], Any], str]] = {
    "project_header": _TEXT,
    "project_pattern": _TEXT,
    "projects": _LIST,
    "max_projects": _WHOLE,
    "buckets": (_seconds, "seconds with commas between"),
    "until": _TEXT,
    "in_flight": _SWITCHED,
    "sizes": _SWITCHED,
    "max_label_values": _WHOLE,
    "prefix": _TEXT,
    "compatible_with": (_text_or_none, "a text"),
    "metrics_path": (_text_or_none, "a path, or nothing"),
    "exclude": _LIST,
    "exclude_patterns": _LIST,
    "exclude_methods": _LIST,
    "push": _SWITCHED,
    "logs": _SWITCHED,
    "log_level": (lambda value: value.upper() or None, "a level"),
    "log_requests": _SWITCHED,
    "tracing": _SWITCHED,
    "exemplar_percentage": _NUMBER,
    "exemplar_slower_than": _NUMBER,
}
"""Setting -> reader of its text, and what is allowed. The other settings are objects, which no text can give."""


def options(environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """The settings that the environment has. Raises InstrumentationError with every problem."""
    found: dict[str, Any] = {}
    problems: list[str] = []
    for name, (read, allowed) in _READERS.items():
        key = PREFIX + name.upper()
        if key not in environment:
            continue
        try:
            found[name] = read(environment[key])
        except (KeyError, ValueError):
            problems.append(f"{key} is {environment[key]!r}; allowed: {allowed}")
    if problems:
        raise InstrumentationError("; ".join(problems))
    return found


def service(environment: Mapping[str, str] = os.environ) -> str | None:
    """The service's name according to the environment; None without one."""
    return next((environment[name] for name in _SERVICE if environment.get(name)), None)


def is_enabled(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether services are instrumented at all. Raises InstrumentationError."""
    given = environment.get(ENABLED, "true")
    try:
        return _switch(given)
    except KeyError as error:
        raise InstrumentationError(f"{ENABLED} is {given!r}; allowed: true or false") from error
