"""Inputs and live objects of Kubernetes: Secrets, and what of a live object is ours."""

import base64
import binascii
from typing import Any, cast

from kubernetes.utils.quantity import parse_quantity
from pulumi.provider.experimental.property_value import PropertyValue

from local.providers.values import Object, has_unknown


def with_secret_data(kind: str, values: dict[str, PropertyValue]) -> dict[str, PropertyValue]:
    """`values` with a Secret's content marked secret, whatever the program said."""
    if kind != "Secret":
        return values
    return {key: item.with_secret(True) if key in ("data", "stringData") else item for key, item in values.items()}


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
