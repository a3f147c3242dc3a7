"""Encodes log lines as JSON. Never raises an exception: a log call may contain any object."""

import json
from collections.abc import Mapping, Set
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from math import isfinite
from pathlib import PurePath
from typing import Any
from uuid import UUID

_DEEPEST = 20
"""Levels of nested values; deeper ones are written as text. No reader of log lines shows more."""
_LONGEST = 10_000
"""Characters of the text of an object that JSON does not have."""
_AS_TEXT = (UUID, Decimal, PurePath, timedelta)


def encode(line: Mapping[str, Any]) -> str:
    """One line of valid JSON. Values that JSON does not have become text: `str` of common types, else `repr`."""
    try:
        return _ENCODER.encode(line)
    except Exception:
        # Not a number, a key that is no text, a circular reference, or an object whose `repr` fails.
        return _ENCODER.encode({_key(name): _plain(value, ()) for name, value in line.items()})


def text(value: object) -> str:
    """`value` as text; never raises."""
    try:
        if isinstance(value, date | time):
            return value.isoformat()
        found = str(value) if isinstance(value, _AS_TEXT) else repr(value)
    except Exception as error:
        return f"<{type(value).__name__} whose text fails: {type(error).__name__}>"
    return found if len(found) <= _LONGEST else f"{found[:_LONGEST]}... ({len(found)} characters)"


def _default(value: object) -> Any:  # noqa: ANN401 - whatever JSON has
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Set):
        return sorted(value, key=text)
    return text(value)


# Created once; json.dumps would create an encoder for every line. JSON has no NaN, and readers refuse it.
_ENCODER = json.JSONEncoder(default=_default, allow_nan=False)


def _plain(value: object, above: tuple[int, ...]) -> Any:  # noqa: ANN401 - whatever JSON has
    """`value` in types that JSON has; `above` are the ids of the containers around it."""
    if value is None or isinstance(value, bool):
        return value
    if type(value) is str:
        return value
    if isinstance(value, float):
        return value if isfinite(value) else text(float(value))
    if id(value) in above:
        return "<circular>"
    if len(above) < _DEEPEST and isinstance(value, Mapping | list | tuple | Set):
        return _container(value, (*above, id(value)))
    return _leaf(value)


def _container(value: Any, above: tuple[int, ...]) -> Any:  # noqa: ANN401 - a mapping or a collection
    try:
        if isinstance(value, Mapping):
            return {_key(key): _plain(inner, above) for key, inner in value.items()}
        return [_plain(inner, above) for inner in value]
    except Exception:
        return text(value)


def _leaf(value: object) -> Any:  # noqa: ANN401 - whatever JSON has
    try:
        return json.loads(_ENCODER.encode(value))
    except Exception:
        return text(value)


def _key(value: object) -> str:
    return value if type(value) is str else text(value)
