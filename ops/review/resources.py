"""Summarizes a Pulumi preview: counts resources by kind, and lists each that would be replaced or deleted.

Reads the output of `pulumi preview --json`, or the engine's event log (one JSON event per line). Does not read the
values of properties, so no secret can get into a report.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from ops.errors import OpsError

_ALLOWED = "allowed: the output of `pulumi preview --json`, or its event log"
_DESTRUCTIVE = ("replace", "create-replacement", "delete-replaced", "delete")
# A replacement has up to three steps, which are reported as one operation.
_ONE_WORD = {"create-replacement": "replace", "delete-replaced": "replace", "discard-replaced": "replace"}
_QUIET = ("same", "read", "refresh", "discard", "read-replacement", "read-discard")


@dataclass(frozen=True, kw_only=True)
class Destruction:
    """A resource that would be replaced or deleted."""

    operation: str
    kind: str
    name: str
    protected: bool
    """Whether the resource is protected, so that the engine will refuse the operation."""
    because: tuple[str, ...]
    """Properties that force a replacement."""


@dataclass(frozen=True, kw_only=True)
class Resources:
    """The summary of a preview."""

    counts: Mapping[str, Mapping[str, int]]
    """Operation -> kind of resource -> number of resources, without unchanged ones."""
    unchanged: int
    destructions: tuple[Destruction, ...]
    errors: tuple[str, ...]
    """The engine's error messages, one line each."""


def read(file: Path) -> Resources:
    """The preview in a file. Raises OpsError if the file is not a preview."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise OpsError(f"{file}: cannot be read: {error.strerror}") from error
    try:
        document: Any = json.loads(text)
        steps = list(_document_steps(document, file))
        errors = _errors(cast(dict[str, Any], document).get("diagnostics"))
    except json.JSONDecodeError:
        events = [_event(line, number, file) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
        steps = [step for event in events if (step := _event_step(event))]
        errors = _errors([event.get("diagnosticEvent") or event.get("diagnostic_event") for event in events])
        if not events:
            raise OpsError(f"{file}: is empty; {_ALLOWED}") from None
    return _counted(steps, errors)


@dataclass(frozen=True)
class _Step:
    operation: str
    urn: str
    protected: bool
    because: tuple[str, ...]


def _document_steps(document: object, file: Path) -> Iterator[_Step]:
    steps = cast(dict[str, Any], document).get("steps") if isinstance(document, dict) else None
    if isinstance(document, dict) and ("metadata" in document or "resourcePreEvent" in document):
        found = _event_step(cast(dict[str, Any], document))  # an event log of one line
        yield from [found] if found else []
        return
    if not isinstance(steps, list) and not (isinstance(document, dict) and "changeSummary" in document):
        raise OpsError(f"{file}: has no `steps`; {_ALLOWED}")
    for step in cast(list[dict[str, Any]], steps or []):
        old = cast(dict[str, Any], step.get("oldState") or {})
        yield _Step(
            str(step.get("op")),
            str(step.get("urn")),
            bool(old.get("protect")),
            tuple(str(one) for one in step.get("replaceReasons") or ()),
        )


def _event(line: str, number: int, file: Path) -> dict[str, Any]:
    try:
        event: Any = json.loads(line)
    except ValueError as error:
        raise OpsError(f"{file}:{number}: not JSON: {error}; {_ALLOWED}") from None
    return cast(dict[str, Any], event) if isinstance(event, dict) else {}


def _event_step(event: dict[str, Any]) -> _Step | None:
    metadata = cast(dict[str, Any], (event.get("resourcePreEvent") or {}).get("metadata") or {})
    if not metadata:
        return None
    old = cast(dict[str, Any], metadata.get("old") or {})
    keys = tuple(str(key) for key in metadata.get("keys") or ())
    return _Step(str(metadata.get("op")), str(metadata.get("urn")), bool(old.get("protect")), keys)


def _errors(diagnostics: object) -> list[str]:
    """The first line of each of the engine's errors; further lines may quote values."""
    found: list[str] = []
    for item in cast(list[dict[str, Any] | None], diagnostics or []):
        if item and item.get("severity") == "error":
            lines = str(item.get("message", "")).strip().splitlines()
            found += [line.removeprefix("error: ") for line in lines[:1]]
    return list(dict.fromkeys(found))


def _counted(steps: list[_Step], errors: list[str]) -> Resources:
    counts: dict[str, Counter[str]] = {}
    destructions: dict[str, Destruction] = {}
    operations: dict[str, str] = {}
    for step in steps:
        operation = _ONE_WORD.get(step.operation, step.operation)
        if operations.get(step.urn) == "replace":
            operation = "replace"
        operations[step.urn] = operation
        if step.operation in _DESTRUCTIVE:
            known = destructions.get(step.urn)
            destructions[step.urn] = Destruction(
                operation=operation,
                kind=_kind(step.urn),
                name=step.urn.split("::")[-1],
                protected=step.protected or (known is not None and known.protected),
                because=step.because or (known.because if known else ()),
            )
    for urn, operation in operations.items():
        if operation not in _QUIET:
            counts.setdefault(operation, Counter())[_kind(urn)] += 1
    unchanged = sum(1 for operation in operations.values() if operation in _QUIET)
    return Resources(
        counts=counts, unchanged=unchanged, destructions=tuple(destructions.values()), errors=tuple(errors)
    )


def _kind(urn: str) -> str:
    """The resource type in a URN, without the types of its parents."""
    parts = urn.split("::")
    return parts[2].split("$")[-1] if len(parts) > 3 else urn
