"""Finds the differences between two JSON values, in Pulumi's terms."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from pulumi.provider.experimental.provider import PropertyDiff, PropertyDiffKind

from engine.stand_ins.values import Object, is_unknown

Path = tuple[str | int, ...]
"""Position of a value inside an object: keys and list indices."""

_MISSING = object()
REPLACING = {
    PropertyDiffKind.ADD: PropertyDiffKind.ADD_REPLACE,
    PropertyDiffKind.DELETE: PropertyDiffKind.DELETE_REPLACE,
    PropertyDiffKind.UPDATE: PropertyDiffKind.UPDATE_REPLACE,
}
"""Maps kinds of changes to the kinds that require replacing the object."""


@dataclass(frozen=True)
class Change:
    """One difference between two objects. `old` is _MISSING for an added value, `new` for a removed one."""

    path: Path
    old: object
    new: object

    @property
    def kind(self) -> PropertyDiffKind:
        """Add, delete or update."""
        if self.old is _MISSING:
            return PropertyDiffKind.ADD
        return PropertyDiffKind.DELETE if self.new is _MISSING else PropertyDiffKind.UPDATE

    def ignored(self, prefix: str) -> bool:
        """Whether the change is at or below `prefix`, a property path in Pulumi's notation."""
        path = rendered(self.path)
        return path == prefix or (path.startswith(prefix) and path[len(prefix)] in ".[")

    def touches(self, field: Path) -> bool:
        """Whether `field` differs; it may be above or below this change."""
        if self.path[: len(field)] == field:
            return True
        if field[: len(self.path)] != self.path:
            return False
        rest = field[len(self.path) :]
        if is_unknown(self.new):
            return _get(self.old, rest) is not _MISSING
        return _get(self.old, rest) != _get(self.new, rest)


def changes(path: Path, old: object, new: object) -> Iterator[Change]:
    """Every difference between two JSON values whose path begins with `path`."""
    if isinstance(old, dict) and isinstance(new, dict):
        before, after = cast(Object, old), cast(Object, new)
        for key in sorted({*before, *after}):
            yield from changes((*path, key), before.get(key, _MISSING), after.get(key, _MISSING))
    elif isinstance(old, list) and isinstance(new, list):
        first, second = cast(list[Any], old), cast(list[Any], new)
        for index in range(max(len(first), len(second))):
            yield from changes(
                (*path, index),
                first[index] if index < len(first) else _MISSING,
                second[index] if index < len(second) else _MISSING,
            )
    elif old != new:
        yield Change(path, old, new)


def differences(found: Iterable[Change], fields: Iterable[Path]) -> dict[str, PropertyDiff]:
    """Maps paths to changes in the engine's terms; a change of one of `fields` requires replacing the object."""
    fixed = list(fields)
    details: dict[str, PropertyDiff] = {}
    for change in found:
        replacing = any(change.touches(field) for field in fixed)
        details[rendered(change.path)] = PropertyDiff(
            REPLACING[change.kind] if replacing else change.kind, input_diff=True
        )
    return details


def rendered(path: Path) -> str:
    """A path in Pulumi's notation, such as `spec.ports[0].name` or `metadata.labels["a/b"]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part.replace("_", "").replace("-", "").isalnum():
            text += f".{part}" if text else part
        else:
            text += f'["{part}"]'
    return text


def _get(value: object, path: Path) -> object:
    for part in path:
        if not isinstance(value, dict) or part not in value:
            return _MISSING
        value = cast(Object, value)[str(part)]
    return value
