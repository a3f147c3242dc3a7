"""Labels that the service itself adds to the metrics of its requests."""

from collections.abc import Callable, Mapping
from pathlib import Path

from starlette.types import Scope

from observability_fastapi.counting.names import Names
from observability_fastapi.failures import FAILURES
from observability_fastapi.settings import Label

FAILED = "error"
"""Value of a label whose function failed."""


class OwnLabels:
    """The functions of the service, each with a limited number of values."""

    def __init__(self, functions: Mapping[str, Label], most: int, file: Callable[[str], Path | None]) -> None:
        """`file` gives the file of the values that all worker processes share."""
        self._functions = [(function, Names(most, file=file(name))) for name, function in functions.items()]

    def of(self, scope: Scope) -> tuple[str, ...]:
        """The values for one request; never raises."""
        return tuple(_value(function, names, scope) for function, names in self._functions)


def _value(function: Label, names: Names, scope: Scope) -> str:
    try:
        return names.label(_checked(function(scope)))
    except Exception as error:
        FAILURES.note("label", error)
        return FAILED


def _checked(value: object) -> str:
    if not isinstance(value, str) or "\n" in value or len(value) > 128:
        raise ValueError(f"a label's function returned {value!r:.100}; allowed: a line of up to 128 characters")
    return value
