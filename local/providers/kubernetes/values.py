"""Pulumi property values and plain JSON: secrets, unknown values, and what of a live object is ours."""

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from kubernetes.utils.quantity import parse_quantity
from pulumi.provider.experimental.property_value import PropertyValue

Object = dict[str, Any]

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What the engine sends, and accepts, in place of a value that is not known before `up` (a string; others below)."""
_UNKNOWNS = {
    UNKNOWN,
    "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # bool
    "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
    "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # list
    "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # map
}


def mapping(value: object) -> Object:
    """`value` if it is a map, else an empty one."""
    return cast(Object, value) if isinstance(value, dict) else {}


def mappings(value: object) -> list[Object]:
    """`value` if it is a list (of maps), else an empty one."""
    return cast(list[Object], value) if isinstance(value, list) else []


def is_unknown(value: object) -> bool:
    """Whether `value` stands for something that is not known yet."""
    return isinstance(value, str) and value in _UNKNOWNS


def has_unknown(value: object) -> bool:
    """Whether anything inside `value` is not known yet."""
    if isinstance(value, dict):
        return any(has_unknown(item) for item in cast(Object, value).values())
    if isinstance(value, list):
        return any(has_unknown(item) for item in cast(list[Any], value))
    return is_unknown(value)


def plain(properties: Mapping[str, PropertyValue]) -> Object:
    """JSON of `properties`, without nulls and without the mark of secrets."""
    return {key: _plain(value) for key, value in properties.items() if value.value is not None}


def _plain(value: PropertyValue) -> object:
    inner = value.value
    if isinstance(inner, Mapping):
        return plain(inner)
    if isinstance(inner, Sequence) and not isinstance(inner, str):
        return [_plain(item) for item in inner]
    if isinstance(inner, float) and inner.is_integer():
        return int(inner)  # the wire has one type of number; the API server wants integers for integer fields
    return inner


def properties(value: Mapping[str, Any], like: Mapping[str, PropertyValue]) -> dict[str, PropertyValue]:
    """Property values of JSON; whatever is secret in `like`, at the same place, is secret in the result."""
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


def with_secret_data(kind: str, values: dict[str, PropertyValue]) -> dict[str, PropertyValue]:
    """`values` with a Secret's content marked secret, whatever the program said."""
    if kind != "Secret":
        return values
    return {key: item.with_secret(True) if key in ("data", "stringData") else item for key, item in values.items()}


def secret_texts(value: Mapping[str, PropertyValue], *, inside: bool = False) -> Iterator[str]:
    """Every text that is secret, so that it can be kept out of messages."""
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


def applied(inputs: Object) -> Object:
    """What is sent to the API server: inputs with `stringData` folded into `data`.

    The server never gives `stringData` back, so a key removed from it would otherwise stay in the Secret for ever.
    """
    texts = cast("dict[str, str] | None", inputs.get("stringData"))
    if inputs.get("kind") != "Secret" or texts is None or has_unknown(texts):
        return inputs
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
    rest = {key: value for key, value in inputs.items() if key != "stringData"}
    return {**rest, "data": {**inputs.get("data", {}), **encoded}}


def pruned(live: Object, inputs: Object) -> Object:
    """The part of `live` that `inputs` speaks about, in the form of inputs: what refresh compares with the program."""
    texts = cast("dict[str, str] | None", inputs.get("stringData"))
    if live.get("kind") == "Secret" and texts:
        data = cast(Object, live.get("data") or {})
        live = {**live, "stringData": {key: _decoded(data[key]) for key in texts if key in data}}
    return _pruned_map(live, inputs)


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text).decode()
    except (binascii.Error, UnicodeDecodeError):
        return text


def _pruned_map(live: Object, shape: Object) -> Object:
    # An empty map or list in the inputs may be dropped by the server; that is no drift.
    kept = {key: value for key, value in shape.items() if key not in live and value in ({}, [], None)}
    return {**kept, **{key: _pruned(live[key], value, key) for key, value in shape.items() if key in live}}


def _pruned(live: object, shape: object, key: str) -> object:
    if isinstance(live, dict) and isinstance(shape, dict):
        found, wanted = cast(Object, live), cast(Object, shape)
        if key in ("limits", "requests", "capacity"):  # the server rewrites 1000m as 1
            return {k: _quantity(found[k], v) for k, v in wanted.items() if k in found}
        return _pruned_map(found, wanted)
    if isinstance(live, list) and isinstance(shape, list):
        pairs = zip(cast(list[Any], live), cast(list[Any], shape), strict=False)
        # Items that others appended are foreign, as for the official provider.
        return [_pruned(found, wanted, "") for found, wanted in pairs]
    if key in ("sizeLimit", "divisor"):
        return _quantity(live, shape)
    return live


def _quantity(live: object, wanted: object) -> object:
    try:
        return wanted if parse_quantity(live) == parse_quantity(wanted) else live
    except (ValueError, TypeError):
        return live
