"""Parses the engine's configuration, in which every value is a text, into typed values."""

import itertools
import json
import math
import re
import typing
from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, cast

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from alerting.problems import path
from settings import values as setting_values
from settings.conflicts import conflicts
from settings.eks.conflicts import addon_problems
from settings.values import Values

_MOST_READINGS = 64
_LOGIN = re.compile(r"//[^/@\s]+@")
PROJECT = "observability"
"""Namespace of the configuration's keys."""


def values(given: Mapping[str, object], encrypted: Collection[str]) -> tuple[Values | None, list[str]]:
    """Validates typed keys. Returns the values, or None if any is wrong, and one line for each problem."""
    validated, problems = each_value(given, encrypted)
    problems += _conflict_lines([validated] if validated else _repaired(given))
    return (None if problems else validated), problems


def _conflict_lines(readings: Sequence[Values]) -> list[str]:
    """The conflicts that there are in each reading of the values, one line each."""
    found = [_conflicts_of(values) for values in readings]
    return [line for line in found[0] if all(line in lines for lines in found)] if found else []


def _conflicts_of(values: Values) -> list[str]:
    lines = [
        _problem(str(Values.model_fields[name].alias), getattr(values, name), condition)
        for name, condition in conflicts(values).items()
        if name in values.model_fields_set
    ]
    return lines + [f"{PROJECT}:eksAddons.{line}" for line in addon_problems(values)]


def _repaired(given: Mapping[str, object]) -> list[Values]:
    """The values with whatever may have been meant in place of each wrong one; empty if that may be too much.

    So conflicts between the others are told in the same round. The wrong keys count as not set.
    """
    wrong = _wrong(given)
    choices = [_choices(key, given) for key in wrong]
    if not all(choices) or math.prod(len(one) for one in choices) > _MOST_READINGS:
        return []
    names = {field.alias or name: name for name, field in Values.model_fields.items()}
    found: list[Values] = []
    for chosen in itertools.product(*choices):
        repaired = {**given, **dict(zip(wrong, chosen, strict=True))}
        if _wrong(repaired):
            return []
        found.append(Values.model_validate(repaired))
        found[-1].__pydantic_fields_set__.difference_update(names[key] for key in wrong)
    # Where one of many values stands for a wrong one, a conflict that depends on it may be none.
    guessed = {names[key] for key, one in zip(wrong, choices, strict=True) if len(one) == 1}
    return [] if guessed & _Reader.fields_of(found[0]) else found


class _Reader:
    """Stands for values, and notes which fields are read."""

    def __init__(self, values: Values) -> None:
        self._values = values
        self._names: set[str] = set()

    def __getattr__(self, name: str) -> object:
        self._names.add(name)
        return getattr(self._values, name)

    @classmethod
    def fields_of(cls, values: Values) -> set[str]:
        """The fields on which conflicts depend."""
        reader = cls(values)
        conflicts(cast(Values, reader))
        addon_problems(cast(Values, reader))
        return reader._names


def _wrong(given: Mapping[str, object]) -> list[str]:
    """Keys with a wrong value, or none where one is required."""
    try:
        Values.model_validate(given)
    except ValidationError as error:
        return sorted({str(item["loc"][0]) for item in error.errors()} & _fields().keys())
    return []


def _choices(key: str, given: Mapping[str, object]) -> list[object]:
    """What may have been meant by a wrong value: any of a few, or one of many; empty if that is not known."""
    field = _fields()[key]
    if field.annotation is bool:
        return [True, False]
    if typing.get_origin(field.annotation) is typing.Literal:
        return [*typing.get_args(field.annotation)]
    texts = re.findall(r"(?:such as|from|least) ([^\s,;]+)", str(field.description))
    examples = [*(_typed(field, text) for text in (*texts, "x", "https://example.com")), {}, ()]
    return next(([example] for example in examples if key not in _wrong({**given, key: example})), [])


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
    shown = _LOGIN.sub("//(a login, not shown)@", json.dumps(value, ensure_ascii=False))
    return f"{PROJECT}:{key}: {shown} is not allowed; allowed: {_allowed(re.split(r'[.[]', key)[0])}{condition}"


def _allowed(key: object) -> str | None:
    return next(f.description for n, f in Values.model_fields.items() if key in (f.alias, n))


def typed(plain: Mapping[str, str]) -> dict[str, object]:
    """Converts the text of each known key to the key's type.

    A text that cannot be converted stays unchanged, so that validation reports it as it was written.
    """
    return {key: _typed(field, plain[key]) for key, field in _fields().items() if key in plain}


def _typed(field: FieldInfo, text: str) -> object:
    if field.annotation is str or field.annotation is None or typing.get_origin(field.annotation) is typing.Literal:
        return text
    try:
        value: object = json.loads(text)
    except (RecursionError, ValueError):
        return _number(text) if field.annotation is float else text
    return tuple(cast(list[object], value)) if isinstance(value, list) else value


def _number(text: str) -> object:
    """A number such as `.5`, which YAML has and JSON has not."""
    try:
        return float(text) if text.isascii() and not text.isalpha() else text
    except ValueError:
        return text


def unknown(plain: Mapping[str, str], secret: Collection[str]) -> list[str]:
    """One line for each key that is neither a setting nor a secret."""
    known = (*_fields(), *secret)
    return [f"{PROJECT}:{key}: unknown key; {_suggestion(key, known)}" for key in plain if key not in known]


def _suggestion(key: str, known: Sequence[str]) -> str:
    if key == PROJECT:
        return f"keys have this prefix and stand beside each other, such as {PROJECT}:lokiMemory"
    name = key.removeprefix(PROJECT).lstrip("._-/")
    near = {one.lower(): one for one in known}.get(name.lower()) or next(iter(get_close_matches(name, known, n=1)), "")
    return f"did you mean {near}?" if near else "allowed: the keys of docs/settings.md, and those of channels"


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
