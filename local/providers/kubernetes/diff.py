"""What changes between two sets of inputs, and whether the object can be updated in place."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from pulumi.provider.experimental.provider import DiffResponse, PropertyDiff, PropertyDiffKind

from local.providers.kubernetes.kinds import Kind, Mutability, Path, force_new_fields
from local.providers.kubernetes.values import Object, is_unknown, mapping

AUTONAMED = "pulumi.com/autonamed"
"""Annotation that marks a name made up by the provider."""

_SERVER_FIELDS = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "uid",
)
_MISSING = object()
_REPLACING = {
    PropertyDiffKind.ADD: PropertyDiffKind.ADD_REPLACE,
    PropertyDiffKind.DELETE: PropertyDiffKind.DELETE_REPLACE,
    PropertyDiffKind.UPDATE: PropertyDiffKind.UPDATE_REPLACE,
}


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


def compare(kind: Kind, old: Object, new: Object, *, mutable: Mutability, ignore: list[str]) -> DiffResponse:
    """The engine's answer for two sets of inputs; `ignore` holds property paths that the program does not manage."""
    found = list(_changes((), comparable(kind, old), comparable(kind, new)))
    found = [change for change in found if not any(_ignored(rendered(change.path), path) for path in ignore)]
    fields = force_new_fields(kind, new, mutable)
    details: dict[str, PropertyDiff] = {}
    replaces: list[str] = []
    for change in found:
        path, what = rendered(change.path), change.kind
        if any(change.touches(field) for field in fields):
            what = _REPLACING[what]
            replaces.append(path)
        details[path] = PropertyDiff(what, input_diff=True)
    return DiffResponse(
        changes=bool(found),
        replaces=replaces,
        delete_before_replace=bool(replaces) and _keeps_its_name(kind, old, new),
        diffs=sorted({str(change.path[0]) for change in found}),
        detailed_diff=details,
    )


def comparable(kind: Kind, inputs: Object) -> Object:
    """`inputs` without what only the server writes and with the namespace that a missing one means."""
    metadata = {key: value for key, value in mapping(inputs.get("metadata")).items() if key not in _SERVER_FIELDS}
    if kind.namespaced:
        metadata["namespace"] = metadata.get("namespace") or "default"
    else:
        metadata.pop("namespace", None)
    return {**inputs, "metadata": metadata} if not is_unknown(inputs.get("metadata")) else inputs


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


def _changes(path: Path, old: object, new: object) -> Iterator[Change]:
    if isinstance(old, dict) and isinstance(new, dict):
        before, after = cast(Object, old), cast(Object, new)
        for key in sorted({*before, *after}):
            yield from _changes((*path, key), before.get(key, _MISSING), after.get(key, _MISSING))
    elif isinstance(old, list) and isinstance(new, list):
        first, second = cast(list[Any], old), cast(list[Any], new)
        for index in range(max(len(first), len(second))):
            yield from _changes(
                (*path, index),
                first[index] if index < len(first) else _MISSING,
                second[index] if index < len(second) else _MISSING,
            )
    elif old != new:
        yield Change(path, old, new)


def _keeps_its_name(kind: Kind, old: Object, new: Object) -> bool:
    before, after = (mapping(comparable(kind, side).get("metadata")) for side in (old, new))
    if AUTONAMED in mapping(after.get("annotations")):
        return False
    return all(before.get(key) == after.get(key) for key in ("name", "namespace"))


def _ignored(path: str, prefix: str) -> bool:
    return path == prefix or (path.startswith(prefix) and path[len(prefix)] in ".[")


def _get(value: object, path: Path) -> object:
    for part in path:
        if not isinstance(value, dict) or part not in value:
            return _MISSING
        value = cast(Object, value)[str(part)]
    return value
