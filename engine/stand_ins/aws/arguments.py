"""Checks inputs against the Python SDK's own argument classes: names, types, and what is required."""

import difflib
import importlib
import inspect
import json
import sys
import types
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Union, cast, get_args, get_origin

import pulumi
import pulumi_aws

# The SDK keeps the names and types of its classes, as the wire has them, behind these functions.
from pulumi._types import (
    input_type_py_to_pulumi_names,
    input_type_types,
    is_input_type,
    is_output_type,
    output_type_types,
    resource_types,
)

from engine.stand_ins.changes import Path, rendered
from engine.stand_ins.values import UNKNOWN, Object, is_unknown

Problem = tuple[str, str]
"""Property path and what is wrong there."""

_WORDS: dict[type, str] = {str: "a text", bool: "true or false", int: "a whole number", float: "a number"}


def problems(token: str, inputs: Object) -> list[Problem]:
    """Everything that is wrong with the inputs of a resource, such as `aws:s3/bucket:Bucket`."""
    return list(_object((), inputs, _arguments(_resource(token))))


def provider_problems(given: Object) -> list[Problem]:
    """Everything that is wrong with the arguments of the provider itself, as `provider_arguments` gives them."""
    return list(_object((), given, pulumi_aws.ProviderArgs))


def provider_arguments(given: Object) -> Object:
    """The arguments of the provider: what is no text travels as JSON."""
    texts = {key for key, kind in input_type_types(pulumi_aws.ProviderArgs).items() if kind is str}
    return {key: value if key in texts else _parsed(value) for key, value in given.items() if key != "version"}


def planned(token: str, known: Object) -> Object:
    """All that a resource puts out, with the value for unknown wherever `known` has nothing, also inside objects."""
    return _planned(resource_types(_resource(token)), known)


def _planned(kinds: Mapping[str, object], known: Object) -> Object:
    found = dict(known)
    for key, kind in kinds.items():
        inner = next((one for one in _choices(kind) if isinstance(one, type) and is_output_type(one)), None)
        if key not in known:
            found[key] = UNKNOWN
        elif inner and isinstance(known[key], dict):
            found[key] = _planned(output_type_types(inner), known[key])
    return found


def _resource(token: str) -> type:
    _, package, name = token.split(":")
    return getattr(importlib.import_module(f"pulumi_aws.{package.partition('/')[0]}"), name)


def _arguments(resource: type) -> type:
    # Where a part of another resource took the usual name, it is another one.
    module = sys.modules[resource.__module__]
    return getattr(module, f"{resource.__name__}InitArgs", None) or getattr(module, f"{resource.__name__}Args")


def _parsed(value: object) -> object:
    if not isinstance(value, str) or is_unknown(value):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _object(path: Path, given: Object, kind: type) -> Iterator[Problem]:
    known = input_type_types(kind)
    for key, value in sorted(given.items()):
        if key in known:
            yield from _value((*path, key), value, known[key])
        else:
            yield rendered((*path, key)), _unknown(key, known, kind)
    for key in sorted(_required(kind) - given.keys()):
        yield rendered((*path, key)), "required"


def _unknown(key: str, known: Mapping[str, object], kind: type) -> str:
    close = difflib.get_close_matches(key, known, n=1)
    name = kind.__name__.removesuffix("Args").removesuffix("Init")
    return f"no argument of {name}" + (f"; did you mean {close[0]}?" if close else "")


@cache
def _required(kind: type) -> frozenset[str]:
    names = input_type_py_to_pulumi_names(kind)
    parameters = inspect.signature(kind).parameters
    wanted = (name for name, found in parameters.items() if found.default is inspect.Parameter.empty)
    return frozenset(names[name] for name in wanted)


def _value(path: Path, value: object, kind: object) -> Iterator[Problem]:
    if is_unknown(value):
        return
    choices = [choice for choice in _choices(kind) if _fits(value, choice)]
    if not choices:
        yield rendered(path), f"must be {_words(kind)}, but is {_shown(value)}"
        return
    chosen = choices[0]
    inner = get_args(chosen)
    if isinstance(value, list):
        for index, item in enumerate(cast(list[Any], value)):
            yield from _value((*path, index), item, inner[0])
    elif isinstance(value, dict) and inner:
        for key, item in cast(Object, value).items():
            yield from _value((*path, key), item, inner[1])
    elif isinstance(value, dict):
        yield from _object(path, cast(Object, value), cast(type, chosen))


def _choices(kind: object) -> list[object]:
    """The plain types that a declared one allows: without Output, Awaitable and None."""
    if get_origin(kind) not in (Union, types.UnionType):
        return [kind]
    found: list[object] = []
    for choice in get_args(kind):
        if get_origin(choice) not in (pulumi.Output, Awaitable) and choice not in (pulumi.Output, type(None)):
            found += _choices(choice)
    return found


def _fits(value: object, kind: object) -> bool:
    origin = get_origin(kind)
    if origin in (Sequence, list):
        return isinstance(value, list)
    if origin in (Mapping, dict) or (isinstance(kind, type) and is_input_type(kind)):
        return isinstance(value, dict)
    if isinstance(value, bool) or kind is bool:
        return isinstance(value, bool) and kind is bool
    if kind is float:
        return isinstance(value, int | float)
    # What is neither is an enumeration; its values are texts.
    return isinstance(value, kind if kind in (str, int) else str) if isinstance(kind, type) else False


def _words(kind: object) -> str:
    said: list[str] = []
    for choice in _choices(kind):
        if get_origin(choice) in (Sequence, list):
            said.append("a list")
        elif get_origin(choice) in (Mapping, dict):
            said.append("a map")
        else:
            said.append(_WORDS.get(cast(type, choice), f"an object ({getattr(choice, '__name__', choice)})"))
    return " or ".join(dict.fromkeys(said))


def _shown(value: object) -> str:
    """What kind of value it is; never the value, which may be a secret."""
    return {**_WORDS, list: "a list", dict: "a map"}.get(type(value), type(value).__name__)
