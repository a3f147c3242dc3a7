"""Sorts the differences of a refresh into changes of the program's fields, expected changes and deletions. Pure."""

import re
from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from alerting.base import Strict
from alerting.files import read_yaml
from alerting.problems import RulesError, describe
from engine.events import Difference
from engine.stand_ins.changes import changes, rendered
from ops.errors import OpsError

FILE = Path(__file__).with_name("expected.yaml")
_INTERNAL = "__"
"""Prefix of properties that providers store for themselves beside a resource's own."""
_SECRET = "[secret]"  # noqa: S105 (the engine's replacement for a secret)
_LONGEST = 60
"""Maximum number of characters shown of a value."""


class Category(StrEnum):
    """Category of a difference."""

    CHANGED = "changed"
    """Someone changed a field that the program sets."""
    DELETED = "deleted"
    UNMANAGED = "unmanaged"
    """The object is in a folder or namespace of the stack, but not in the state."""
    EXPECTED = "expected"
    """Another program owns the field by design, or the program does not set it."""


class Finding(NamedTuple):
    """One difference."""

    category: Category
    kind: str
    """Type of the resource, such as kubernetes:apps/v1:Deployment."""
    name: str
    """Name of the object in Kubernetes, AWS or Grafana."""
    path: str = ""
    """The field; empty for a whole object."""
    before: str = ""
    """Value after the last `up`, shortened; `[secret]` for a secret."""
    now: str = ""
    reason: str = ""
    """Why the difference is expected, or what to do."""


class Expected(Strict):
    """One entry of expected.yaml."""

    type: str
    path: str
    reason: str
    autoscaled: bool = False

    def covers(self, kind: str, path: str, *, autoscaled: bool) -> bool:
        """Whether this entry matches a difference."""
        return _fits(self.type, kind) and _fits(self.path, path) and (autoscaled or not self.autoscaled)


def expected(file: Path = FILE) -> list[Expected]:
    """The entries of the file. Raises OpsError with every problem."""
    try:
        return TypeAdapter(list[Expected]).validate_python(read_yaml(file, file.name))
    except RulesError as error:
        raise OpsError(str(error)) from error
    except ValidationError as error:
        raise OpsError("\n".join(describe(error, file.name))) from error


def findings(steps: Iterable[Difference], known: Collection[Expected], autoscaled: Collection[str]) -> list[Finding]:
    """Every difference; `autoscaled` holds the ids (`namespace/name`) of workloads that an autoscaler scales."""
    found: list[Finding] = []
    for step in steps:
        if step.deleted:
            found.append(Finding(Category.DELETED, step.type, step.id, reason="`up` creates it again"))
        else:
            found += _changed(step, known, autoscaled=step.id in autoscaled)
    return found


def _changed(step: Difference, known: Collection[Expected], *, autoscaled: bool) -> list[Finding]:
    found: list[Finding] = []
    for change in changes((), _own(step.inputs), _own(step.found_inputs)):
        path = rendered(change.path)
        reason = next((one.reason for one in known if one.covers(step.type, path, autoscaled=autoscaled)), "")
        category = Category.EXPECTED if reason else Category.CHANGED
        found.append(Finding(category, step.type, step.id, path, _shown(change.old), _shown(change.new), reason))
    if found:
        return found
    others = {str(change.path[0]) for change in changes((), _own(step.outputs), _own(step.found_outputs))}
    if others:
        reason = "the program does not set it"
        return [Finding(Category.EXPECTED, step.type, step.id, ", ".join(sorted(others)), reason=reason)]
    # The engine reports a difference without showing one: it is inside a secret.
    return [Finding(Category.CHANGED, step.type, step.id, _SECRET, _SECRET, _SECRET)]


def _fits(pattern: str, text: str) -> bool:
    # Paths contain brackets, which fnmatch would treat as character classes.
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), text) is not None


def _own(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in properties.items() if not key.startswith(_INTERNAL)}


def _shown(value: object) -> str:
    text = "" if type(value) is object else " ".join(str(value).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
