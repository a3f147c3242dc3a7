"""What a refresh found, told apart: edits of what the program sets, fields that others own, and what is gone. Pure."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple, cast

import yaml

from engine.events import Difference
from engine.stand_ins.changes import changes, rendered

FILE = Path(__file__).with_name("expected.yaml")
_INTERNAL = "__"
"""How the names begin that providers keep beside a resource's own properties."""
_SECRET = "[secret]"  # noqa: S105 (what the engine shows in place of one)
_LONGEST = 60
"""Characters of a value that are shown."""


class Sort(StrEnum):
    """What happened to an object."""

    CHANGED = "changed"
    """Someone changed a field that the program sets."""
    DELETED = "deleted"
    UNMANAGED = "unmanaged"
    """It stands among ours, and is not in the state."""
    EXPECTED = "expected"
    """Others own what is different."""


class Finding(NamedTuple):
    """One difference."""

    sort: Sort
    kind: str
    """Type of the resource, such as kubernetes:apps/v1:Deployment."""
    name: str
    """As its system calls it."""
    path: str = ""
    """The field; empty for the object as a whole."""
    before: str = ""
    """As the last `up` left it, shortened; `[secret]` for a secret."""
    now: str = ""
    reason: str = ""
    """Why it is expected, or what to do."""


@dataclass(frozen=True, kw_only=True)
class Expected:
    """One entry of expected.yaml."""

    type: str
    path: str
    reason: str
    autoscaled: bool = False

    def covers(self, kind: str, path: str, *, autoscaled: bool) -> bool:
        """Whether a difference is this one."""
        return _fits(self.type, kind) and _fits(self.path, path) and (autoscaled or not self.autoscaled)


def expected(file: Path = FILE) -> list[Expected]:
    """The entries of the file. Raises TypeError for a key that does not exist, or one that is missing."""
    return [Expected(**entry) for entry in cast(list[dict[str, Any]], yaml.safe_load(file.read_text()))]


def findings(steps: Iterable[Difference], known: Collection[Expected], autoscaled: Collection[str]) -> list[Finding]:
    """Every difference; `autoscaled` holds the ids (`namespace/name`) of workloads that an autoscaler scales."""
    found: list[Finding] = []
    for step in steps:
        if step.deleted:
            found.append(Finding(Sort.DELETED, step.type, step.id, reason="`up` makes it again"))
        else:
            found += _changed(step, known, autoscaled=step.id in autoscaled)
    return found


def _changed(step: Difference, known: Collection[Expected], *, autoscaled: bool) -> list[Finding]:
    found: list[Finding] = []
    for change in changes((), _own(step.inputs), _own(step.found_inputs)):
        path = rendered(change.path)
        reason = next((one.reason for one in known if one.covers(step.type, path, autoscaled=autoscaled)), "")
        sort = Sort.EXPECTED if reason else Sort.CHANGED
        found.append(Finding(sort, step.type, step.id, path, _shown(change.old), _shown(change.new), reason))
    if found:
        return found
    others = {str(change.path[0]) for change in changes((), _own(step.outputs), _own(step.found_outputs))}
    if others:
        reason = "the program does not set it"
        return [Finding(Sort.EXPECTED, step.type, step.id, ", ".join(sorted(others)), reason=reason)]
    # The engine says that there is a difference, and shows none: it is inside what it hides.
    return [Finding(Sort.CHANGED, step.type, step.id, _SECRET, _SECRET, _SECRET)]


def _fits(pattern: str, text: str) -> bool:
    # Brackets belong to paths here, so a shell's patterns would misread them.
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), text) is not None


def _own(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in properties.items() if not key.startswith(_INTERNAL)}


def _shown(value: object) -> str:
    text = "" if type(value) is object else " ".join(str(value).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
