"""Parses the engine's configuration, in which every value is a text, into typed values."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Literal, cast, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from alerting.problems import closest, path
from settings import values as setting_values
from settings.conflicts import conflicts
from settings.eks.conflicts import addon_problems
from settings.values import Values

PROJECT = "observability"
"""Namespace of the configuration's keys."""


def values(given: Mapping[str, object], encrypted: Collection[str]) -> tuple[Values | None, list[str]]:
    """Validates typed keys. Returns the values, or None if any is wrong, and one line for each problem."""
    validated, problems = each_value(given, encrypted)
    if validated is None:
        return None, problems
    problems = [
        _problem(str(Values.model_fields[name].alias), getattr(validated, name), condition)
        for name, condition in conflicts(validated).items()
    ]
    problems += (f"{PROJECT}:eksAddons.{line}" for line in addon_problems(validated))
    return (None if problems else validated), problems


def each_value(given: Mapping[str, object], encrypted: Collection[str] = ()) -> tuple[Values | None, list[str]]:
    """Like `values`, but checks each key alone: values may conflict with each other."""
    try:
        return Values.model_validate(given), []
    except ValidationError as error:
        problems = [_value_problem(cast(Mapping[str, Any], item), encrypted) for item in error.errors()]
        return None, list(dict.fromkeys(problems))


def _value_problem(item: Mapping[str, Any], encrypted: Collection[str]) -> str:
    location = item["loc"]
    key = f"{PROJECT}:{path(location)}"
    if item["type"] == "missing":
        return f"{key}: required, but not set; allowed: {_allowed(location[0])}"
    if location[0] in encrypted:
        return f"{key}: the value (a secret, not shown) is not allowed; allowed: {_allowed(location[0])}"
    return _problem(path(location), item["input"])


def _problem(key: str, value: object, condition: str = "") -> str:
    shown = json.dumps(value, ensure_ascii=False)
    return f"{PROJECT}:{key}: {shown} is not allowed; allowed: {_allowed(re.split(r'[.[]', key)[0])}{condition}"


def _allowed(key: object) -> str | None:
    return next(f.description for n, f in Values.model_fields.items() if key in (f.alias, n))


def typed(plain: Mapping[str, str]) -> dict[str, object]:
    """Converts the text of each known key to the key's type.

    A text that cannot be converted stays unchanged, so that validation reports it as it was written.
    """
    return {key: _typed(field, plain[key]) for key, field in _fields().items() if key in plain}


def _typed(field: FieldInfo, text: str) -> object:
    if field.annotation is str or field.annotation is None or get_origin(field.annotation) is Literal:
        return text
    try:
        value: object = json.loads(text)
    except ValueError:
        return text
    return tuple(cast(list[object], value)) if isinstance(value, list) else value


def unknown(plain: Mapping[str, str], secret: Collection[str]) -> list[str]:
    """One line for each key that is neither a setting nor a secret."""
    known = (*_fields(), *secret)
    return [f"{PROJECT}:{key}: unknown key; {closest(key, known)}" for key in plain if key not in known]


def _fields() -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in Values.model_fields.items()}


def credential_problems(
    present: Collection[str], encrypted: Collection[str], needed: Mapping[str, str]
) -> Iterator[str]:
    """One line for each secret that is missing or stored as plain text. `needed` maps each key to its user."""
    for key, user in needed.items():
        if key not in present:
            command = f"pulumi config set --secret {key}"
            yield f"{PROJECT}:{key}: required, but not set; needed by {user}; set it with: {command}"
    for key in present:
        if key not in encrypted:
            command = f"pulumi config set --secret {key}"
            yield f"{PROJECT}:{key}: is plain text in the stack file; encrypt it with: {command}"


def unused(present: Collection[str], chosen: Values) -> Iterator[str]:
    """One line for each secret that the chosen values do not use: a mistake, or a secret that can be revoked."""
    used = {key for key, _ in chosen.secrets()} | (set() if chosen.grafana else {"grafanaAuth"})
    for key in present:
        if key not in used:
            allowed = f"only when {setting_values.SECRETS[key]}"
            yield f"{PROJECT}:{key}: set, but not used; allowed: {allowed}; remove it with: pulumi config rm {key}"
