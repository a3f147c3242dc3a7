"""What changes between two sets of inputs, and whether the object can be updated in place."""

from pulumi.provider.experimental.provider import DiffResponse

from local.providers.changes import REPLACING, changes, differences
from local.providers.kubernetes.kinds import Kind, Mutability, force_new_fields
from local.providers.values import Object, is_unknown, mapping

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


def compare(kind: Kind, old: Object, new: Object, *, mutable: Mutability, ignore: list[str]) -> DiffResponse:
    """The engine's answer for two sets of inputs; `ignore` holds property paths that the program does not manage."""
    found = list(changes((), comparable(kind, old), comparable(kind, new)))
    found = [change for change in found if not any(change.ignored(path) for path in ignore)]
    details = differences(found, force_new_fields(kind, new, mutable))
    replaces = [path for path, detail in details.items() if detail.kind in REPLACING.values()]
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


def _keeps_its_name(kind: Kind, old: Object, new: Object) -> bool:
    before, after = (mapping(comparable(kind, side).get("metadata")) for side in (old, new))
    if AUTONAMED in mapping(after.get("annotations")):
        return False
    return all(before.get(key) == after.get(key) for key in ("name", "namespace"))
