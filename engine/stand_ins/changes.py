"""Where two JSON values differ, in Pulumi's words."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from pulumi.provider.experimental.provider import PropertyDiff, PropertyDiffKind

from engine.stand_ins.values import Object, is_unknown

Path = tuple[str | int, ...]
"""Where a value is inside an object: keys and list indices."""

_MISSING = object()
REPLACING = {
    PropertyDiffKind.ADD: PropertyDiffKind.ADD_REPLACE,
    PropertyDiffKind.DELETE: PropertyDiffKind.DELETE_REPLACE,
    PropertyDiffKind.UPDATE: PropertyDiffKind.UPDATE_REPLACE,
}
"""What a change is called where the object has to be replaced for it."""


@dataclass(frozen=True)
class Change:
    """One place where two objects differ; a value is missing on one side when something was added or removed."""

    path: Path
    old: object
    new: object

    @property
    def kind(self) -> PropertyDiffKind:
        """Added, removed or changed."""
        if self.old is _MISSING:
            return PropertyDiffKind.ADD
        return PropertyDiffKind.DELETE if self.new is _MISSING else PropertyDiffKind.UPDATE

    def ignored(self, prefix: str) -> bool:
        """Whether this lies at or below `prefix`, a property path in Pulumi's notation."""
        path = rendered(self.path)
        return path == prefix or (path.startswith(prefix) and path[len(prefix)] in ".[")

    def touches(self, field: Path) -> bool:
        """Whether `field`, which may lie above or below this change, is different."""
        if self.path[: len(field)] == field:
            return True
        if field[: len(self.path)] != self.path:
            return False
        rest = field[len(self.path) :]
        if is_unknown(self.new):
            return _get(self.old, rest) is not _MISSING
        return _get(self.old, rest) != _get(self.new, rest)


def changes(path: Path, old: object, new: object) -> Iterator[Change]:
    """Every place at or below `path` where two JSON values differ."""
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
    """Each change by its path, in the engine's words; one that touches any of `fields` replaces the object."""
    fixed = list(fields)
    details: dict[str, PropertyDiff] = {}
    for change in found:
        replacing = any(change.touches(field) for field in fixed)
        details[rendered(change.path)] = PropertyDiff(
            REPLACING[change.kind] if replacing else change.kind, input_diff=True
        )
    return details


def rendered(path: Path) -> str:
    """Pulumi's notation of a path, as in `spec.ports[0].name` or `metadata.labels["a/b"]`."""
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
