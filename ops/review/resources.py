"""What a Pulumi preview says: how many resources of which kind, and loudly each that would be replaced or deleted.

Read from `pulumi preview --json`, or from the engine's event log (one JSON event per line). Values of properties are
not read, so no secret can get into a report.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from ops.errors import OpsError

_ALLOWED = "allowed: what `pulumi preview --json` prints, or its event log"
_LOUD = ("replace", "create-replacement", "delete-replaced", "delete")
# A replacement has up to three steps; the first that stands here names it.
_ONE_WORD = {"create-replacement": "replace", "delete-replaced": "replace", "discard-replaced": "replace"}
_QUIET = ("same", "read", "refresh", "discard", "read-replacement", "read-discard")


@dataclass(frozen=True, kw_only=True)
class Loud:
    """A resource that would be replaced or deleted."""

    operation: str
    kind: str
    name: str
    protected: bool
    """The engine would refuse."""
    because: tuple[str, ...]
    """Properties that force a replacement."""


@dataclass(frozen=True, kw_only=True)
class Resources:
    """A preview, counted."""

    counts: Mapping[str, Mapping[str, int]]
    """Operation -> kind of resource -> how many; what stays as it is does not count."""
    unchanged: int
    loud: tuple[Loud, ...]
    errors: tuple[str, ...]
    """What the engine complained about."""


def read(file: Path) -> Resources:
    """The preview in a file. Raises OpsError for a file that is none."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise OpsError(f"{file}: cannot be read: {error.strerror}") from error
    try:
        document: Any = json.loads(text)
        steps = list(_document_steps(document, file))
        said = _said(cast(dict[str, Any], document).get("diagnostics"))
    except json.JSONDecodeError:
        events = [_event(line, number, file) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
        steps = [step for event in events if (step := _event_step(event))]
        said = _said([event.get("diagnosticEvent") or event.get("diagnostic_event") for event in events])
        if not events:
            raise OpsError(f"{file}: is empty; {_ALLOWED}") from None
    return _counted(steps, said)


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
        raise OpsError(f"{file}: no `steps` in it; {_ALLOWED}")
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
        raise OpsError(f"{file}:{number}: no JSON: {error}; {_ALLOWED}") from None
    return cast(dict[str, Any], event) if isinstance(event, dict) else {}


def _event_step(event: dict[str, Any]) -> _Step | None:
    metadata = cast(dict[str, Any], (event.get("resourcePreEvent") or {}).get("metadata") or {})
    if not metadata:
        return None
    old = cast(dict[str, Any], metadata.get("old") or {})
    keys = tuple(str(key) for key in metadata.get("keys") or ())
    return _Step(str(metadata.get("op")), str(metadata.get("urn")), bool(old.get("protect")), keys)


def _said(diagnostics: object) -> list[str]:
    """The engine's errors, first line each: what follows may quote values."""
    found: list[str] = []
    for item in cast(list[dict[str, Any] | None], diagnostics or []):
        if item and item.get("severity") == "error":
            lines = str(item.get("message", "")).strip().splitlines()
            found += [line.removeprefix("error: ") for line in lines[:1]]
    return list(dict.fromkeys(found))


def _counted(steps: list[_Step], errors: list[str]) -> Resources:
    counts: dict[str, Counter[str]] = {}
    loud: dict[str, Loud] = {}
    operations: dict[str, str] = {}
    for step in steps:
        operation = _ONE_WORD.get(step.operation, step.operation)
        if operations.get(step.urn) == "replace":
            operation = "replace"
        operations[step.urn] = operation
        if step.operation in _LOUD:
            known = loud.get(step.urn)
            loud[step.urn] = Loud(
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
    return Resources(counts=counts, unchanged=unchanged, loud=tuple(loud.values()), errors=tuple(errors))


def _kind(urn: str) -> str:
    """The type in a URN, without its parents' types."""
    parts = urn.split("::")
    return parts[2].split("$")[-1] if len(parts) > 3 else urn
