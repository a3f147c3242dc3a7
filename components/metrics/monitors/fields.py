"""Reads the fields of an object of Kubernetes: typed values, or the reason for which its monitor is skipped.

Needs only Python. Nobody guarantees that an object has the types of its CRD: the CRD may be of any release.
"""

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

_SHOWN = 80
_LARGEST = 2**63 - 1
_MOST_ITEMS = 1000
Fields = Mapping[str, Any]
"""A part of an object."""


class SkippedError(Exception):
    """Why a monitor is skipped. The text names the field, its value and what is allowed."""

    def __init__(self, reason: str, endpoint: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.endpoint = endpoint
        """Number of the endpoint to which it applies; None for the whole monitor."""


def refusal(where: str, value: object, allowed: str) -> SkippedError:
    """The error for a value that is not allowed."""
    # ASCII: whoever reads the log in a terminal is not sent its commands.
    shown = json.dumps(value)
    if isinstance(value, str):
        shown = shown[1:-1]
    return SkippedError(f"{where}: {shown[:_SHOWN]} is not allowed; allowed: {allowed}")


def part(value: object, where: str) -> Fields:
    """An object; empty if it is not there."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise refusal(where, value, "an object")
    return value


def items(value: object, where: str, most: int = _MOST_ITEMS) -> list[Any]:
    """A list; empty if it is not there."""
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > most:
        raise refusal(where, value, f"a list of at most {most} items")
    return value


def flag(value: object, where: str) -> bool | None:
    """True, false, or None if it is not there."""
    if value is not None and not isinstance(value, bool):
        raise refusal(where, value, "true or false")
    return value


def number(value: object, where: str) -> int:
    """A whole number; 0 if it is not there."""
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST:
        raise refusal(where, value, "a whole number")
    return value


def text(value: object, where: str, most: int = 1000) -> str:
    """A text that can be printed; empty if it is not there.

    Such a text means the same in JSON and in Prometheus' YAML.
    """
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > most or not value.isprintable():
        raise refusal(where, value, f"a text of at most {most} letters that can be printed")
    return value


def matching(value: object, where: str, pattern: str, allowed: str) -> str:
    """A text that the pattern matches; empty if it is not there."""
    found = text(value, where)
    if found and not re.fullmatch(pattern, found, re.ASCII):
        raise refusal(where, value, allowed)
    return found


def one_of(value: object, where: str, choices: Collection[str]) -> str:
    """One of the choices; empty if it is not there."""
    found = text(value, where)
    if found and found not in choices:
        raise refusal(where, value, ", ".join(choices))
    return found


def empty(value: object) -> bool:
    """Whether a field says nothing: charts render objects without content, and switches that are off."""
    if isinstance(value, dict):
        return all(empty(one) for one in value.values())
    return value in (None, False, "", 0) or value == []


def only(fields: Fields, where: str, known: Collection[str], refused: Mapping[str, str]) -> None:
    """Refuses fields that are not known, and those of `refused` with their reason, unless they say nothing."""
    for name, value in fields.items():
        if name in known or empty(value):
            continue
        place = f"{where}.{name}" if where else name
        if name in refused:
            raise SkippedError(f"{place}: {refused[name]}")
        raise SkippedError(f"{text(place, where)[:_SHOWN]}: this field is not known")
