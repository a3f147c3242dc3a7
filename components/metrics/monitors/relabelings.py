"""A monitor's relabelings: those that Prometheus certainly takes, and that cannot say who a target is.

Needs only Python. Before them stand the platform's filters of targets, and after them its labels, see convert.
"""

import re
from collections.abc import Callable
from typing import Any

from . import fields, patterns
from .fields import Fields, SkippedError, refusal

MOST = 50
"""Relabelings in one list of an endpoint."""
IDENTITY = ("namespace", "pod", "node", "app", "job", "instance")
"""Labels by which rules know a target."""
TARGET, SAMPLE = "relabelings", "metricRelabelings"
"""The field of an endpoint that relabels its targets, and that for its samples."""
LABEL = r"[a-zA-Z_][a-zA-Z0-9_]{0,254}"
"""Pattern of the name of a label."""

_ACTIONS = (
    *("replace", "keep", "drop", "keepequal", "dropequal"),
    *("hashmod", "labelmap", "labeldrop", "labelkeep", "lowercase", "uppercase"),
)
_TAKES = {
    "replace": ("sourceLabels", "separator", "regex", "targetLabel", "replacement"),
    **dict.fromkeys(("keep", "drop"), ("sourceLabels", "separator", "regex")),
    **dict.fromkeys(("keepequal", "dropequal"), ("sourceLabels", "targetLabel")),
    "hashmod": ("sourceLabels", "separator", "targetLabel", "modulus"),
    "labelmap": ("regex", "replacement"),
    **dict.fromkeys(("labeldrop", "labelkeep"), ("regex",)),
    **dict.fromkeys(("lowercase", "uppercase"), ("sourceLabels", "separator", "targetLabel")),
}
"""Action -> the fields that count. Prometheus ignores the others, except those of _STRICT."""
_FIELDS = {field for taken in _TAKES.values() for field in taken} | {"action"}
_DEFAULTS = {"separator": ";", "regex": "(.*)", "replacement": "$1", "modulus": 0}
_STRICT = {
    **dict.fromkeys(("keepequal", "dropequal"), ("separator", "regex", "replacement", "modulus")),
    **dict.fromkeys(("labeldrop", "labelkeep"), ("sourceLabels", "separator", "targetLabel", "replacement", "modulus")),
    **dict.fromkeys(("lowercase", "uppercase"), ("replacement",)),
}
"""Action -> fields for which Prometheus refuses anything but its default."""
_TEMPLATE = r"(?:[a-zA-Z0-9_]|\$[a-zA-Z0-9_]+|\$\{[a-zA-Z0-9_]+\}){1,255}"
# Labels and annotations of objects begin with a letter or a digit, so that no copy of theirs begins with __.
_COPIED = re.compile(
    r"__meta_kubernetes_(?:pod|service|endpointslice)_(?:label|annotation)(?:present)?_\(\.[+*]\)", re.ASCII
)
_FREE = ("__tmp_", "__param_")


def converted(value: object, where: str, kind: str, *, trusted: bool) -> tuple[list[dict[str, Any]], int]:
    """The relabelings in Prometheus' names, and the instructions of their compiled expressions.

    `kind` is TARGET or SAMPLE. The samples of `trusted` monitors may say who they are about.
    """
    found: list[dict[str, Any]] = []
    for index, one in enumerate(fields.items(value, where, MOST)):
        place = f"{where}[{index}]"
        found.append(_converted(fields.part(one, place), place, kind, trusted=trusted))
    return found, sum(patterns.size(one.get("regex", "")) for one in found)


def _converted(given: Fields, where: str, kind: str, *, trusted: bool) -> dict[str, Any]:
    fields.only(given, where, _FIELDS, {})
    action = fields.text(given.get("action"), f"{where}.action").lower() or "replace"
    if action not in _ACTIONS:
        raise refusal(f"{where}.action", action, ", ".join(_ACTIONS))
    taken = _TAKES[action]
    for name in _STRICT.get(action, ()):
        if not fields.empty(value := given.get(name)) and value != _DEFAULTS.get(name):
            raise SkippedError(f"{where}.{name}: the action {action} takes only {', '.join(taken)}")
    found: dict[str, Any] = {"action": action}
    for name in taken:
        _READERS[name](given.get(name), f"{where}.{name}", found)
    if action == "hashmod" and not found.get("modulus"):
        raise refusal(f"{where}.modulus", given.get("modulus"), "a whole number above 0 for the action hashmod")
    if action == "labelmap":
        _check_written(found, found.get("replacement", "$1"), f"{where}.replacement", kind, trusted=trusted)
    elif action.endswith("equal"):
        _check_name(found.get("target_label", ""), f"{where}.targetLabel")
    elif "targetLabel" in taken:
        _check_written(found, found.get("target_label", ""), f"{where}.targetLabel", kind, trusted=trusted)
    return found


def _source_labels(value: object, where: str, found: dict[str, Any]) -> None:
    if names := fields.items(value, where, MOST):
        allowed = "a label's name of letters, digits and _"
        read = [fields.matching(one, f"{where}[{index}]", LABEL, allowed) for index, one in enumerate(names)]
        if not all(read):
            raise refusal(where, names, allowed)
        found["source_labels"] = read


def _text(name: str, most: int) -> Callable[[object, str, dict[str, Any]], None]:
    def read(value: object, where: str, found: dict[str, Any]) -> None:
        if value is not None:
            found[name] = fields.text(value, where, most)

    return read


def _regex(value: object, where: str, found: dict[str, Any]) -> None:
    if pattern := fields.text(value, where, patterns.LONGEST):
        try:
            patterns.size(pattern)
        except patterns.UnclearError as error:
            raise SkippedError(f"{where}: this expression {error}") from None
        found["regex"] = pattern


def _modulus(value: object, where: str, found: dict[str, Any]) -> None:
    if modulus := fields.number(value, where):
        found["modulus"] = modulus


_READERS: dict[str, Callable[[object, str, dict[str, Any]], None]] = {
    "sourceLabels": _source_labels,
    "separator": _text("separator", 20),
    "regex": _regex,
    "targetLabel": _text("target_label", 255),
    "replacement": _text("replacement", 1000),
    "modulus": _modulus,
}


def _check_name(name: str, where: str) -> None:
    if not re.fullmatch(LABEL, name, re.ASCII):
        raise refusal(where, name, "a label's name of letters, digits and _")


def _check_written(found: Fields, name: str, where: str, kind: str, *, trusted: bool) -> None:
    """Raises SkippedError if the relabeling may write a label that others must be able to trust.

    A name may contain parts of a match, `$1`, behind letters from which it cannot become such a label.
    """
    begin, dollar, _ = name.partition("$")
    if begin or not dollar:
        _check_name(begin, where)
    if dollar and (found["action"] not in ("replace", "labelmap") or not re.fullmatch(_TEMPLATE, name, re.ASCII)):
        raise refusal(where, name, "a label's name of letters, digits, _ and, for replace and labelmap, $1")
    if kind == TARGET:
        free = _is_free_of_target(begin, dollar)
        copies = found["action"] == "labelmap" and name in ("$1", "${1}")
        if not free and not (copies and _COPIED.fullmatch(found.get("regex", ""))):
            allowed = "a name that begins with a letter, __tmp_ or __param_"
            raise refusal(where, name, f"{allowed}; $1 alone for copies of all labels or annotations")
    elif not trusted and not _is_free_of_sample(begin, dollar):
        allowed = f"a name that begins with a letter, __tmp_ or is __name__, and cannot become {', '.join(IDENTITY)}"
        raise refusal(where, name, allowed)


def _is_free_of_target(begin: str, dollar: str) -> bool:
    if any(begin.startswith(free) and (dollar or len(begin) > len(free)) for free in _FREE):
        return True
    return not begin.startswith("_") if begin and dollar else bool(begin) and not begin.startswith("__")


def _is_free_of_sample(begin: str, dollar: str) -> bool:
    if begin.startswith("__tmp_"):
        return True
    if dollar:
        return bool(begin) and not begin.startswith("_") and not any(one.startswith(begin) for one in IDENTITY)
    return begin == "__name__" or (not begin.startswith("__") and begin not in IDENTITY)
