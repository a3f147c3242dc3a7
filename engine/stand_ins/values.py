"""Converts between Pulumi's property values and plain JSON, with secrets and unknown values."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from pulumi.provider.experimental.property_value import PropertyValue

Object = dict[str, Any]
Values = dict[str, PropertyValue]

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""Placeholder in the engine's protocol for a string that is not known before `up`; other types below."""
_UNKNOWNS = {
    UNKNOWN,
    "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # bool
    "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
    "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # list
    "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # map
}


def type_of(urn: str) -> str:
    """Type of a resource, without the types of its parents, which the engine puts before it, separated by `$`."""
    return urn.split("::")[2].rpartition("$")[2]


def mapping(value: object) -> Object:
    """`value` if it is a map, else an empty one."""
    return cast(Object, value) if isinstance(value, dict) else {}


def mappings(value: object) -> list[Object]:
    """`value` if it is a list (of maps), else an empty one."""
    return cast(list[Object], value) if isinstance(value, list) else []


def is_unknown(value: object) -> bool:
    """Whether `value` is a placeholder for an unknown value."""
    return isinstance(value, str) and value in _UNKNOWNS


def has_unknown(value: object) -> bool:
    """Whether `value` contains an unknown value."""
    if isinstance(value, dict):
        return any(has_unknown(item) for item in cast(Object, value).values())
    if isinstance(value, list):
        return any(has_unknown(item) for item in cast(list[Any], value))
    return is_unknown(value)


def plain(properties: Mapping[str, PropertyValue]) -> Object:
    """JSON of `properties`, without nulls and without secret markers."""
    return {key: _plain(value) for key, value in properties.items() if value.value is not None}


def _plain(value: PropertyValue) -> object:
    inner = value.value
    if isinstance(inner, Mapping):
        return plain(inner)
    if isinstance(inner, Sequence) and not isinstance(inner, str):
        return [_plain(item) for item in inner]
    if isinstance(inner, float) and inner.is_integer():
        return int(
            inner
        )  # the protocol has only one number type, but the API server requires integers for integer fields
    return inner


def properties(value: Mapping[str, Any], like: Mapping[str, PropertyValue]) -> dict[str, PropertyValue]:
    """Property values of JSON; a value whose counterpart in `like` is secret becomes secret."""
    return {key: _property(item, like.get(key)) for key, item in value.items()}


def _property(value: object, like: PropertyValue | None) -> PropertyValue:
    secret = like is not None and like.is_secret
    inner = None if like is None else like.value
    if isinstance(value, dict):
        shape = inner if isinstance(inner, Mapping) else {}
        return PropertyValue(properties(cast(Object, value), shape), is_secret=secret)
    if isinstance(value, list):
        # Items may be reordered or added, so one secret item makes the list secret, as in the official provider.
        secret = secret or (like is not None and like.contains_secret())
        return PropertyValue([_property(item, None) for item in cast(list[Any], value)], is_secret=secret)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return PropertyValue(float(value), is_secret=secret)
    return PropertyValue(cast("bool | str | None", value), is_secret=secret)


def secret_texts(value: Mapping[str, PropertyValue], *, inside: bool = False) -> Iterator[str]:
    """Every secret text, so that it can be masked in messages."""
    for item in value.values():
        yield from _secret_texts(item, inside=inside)


def _secret_texts(value: PropertyValue, *, inside: bool) -> Iterator[str]:
    inside = inside or value.is_secret
    if isinstance(value.value, Mapping):
        yield from secret_texts(value.value, inside=inside)
    elif isinstance(value.value, str):
        if inside:
            yield value.value
    elif isinstance(value.value, Sequence):
        for item in value.value:
            yield from _secret_texts(item, inside=inside)


def hidden(message: str, secrets: Iterable[str]) -> str:
    """`message` with secrets masked; masking secrets of up to three characters would make it unreadable."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) > 3:
            message = message.replace(secret, "[secret]")
    return message
