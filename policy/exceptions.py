"""The list of exceptions to the rules, each with its reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, cast

import yaml

from policy.resource import Resource

FILE = Path(__file__).with_name("exceptions.yaml")
_REQUIRED = {"rule", "type", "name", "problem", "reason"}
_MIN_REASON = 20
"""Characters. A shorter text explains nothing."""


@dataclass(frozen=True, kw_only=True)
class Exemption:
    """One entry of the list."""

    rule: str
    type: str
    name: str
    problem: str
    reason: str
    stacks: Sequence[str] = ()

    def covers(self, rule: str, resource: Resource, problem: str, stack: str) -> bool:
        """Whether this entry allows a problem that a rule reports."""
        return (
            (self.rule, self.type) == (rule, resource.type)
            and fnmatchcase(resource.name, self.name)
            and fnmatchcase(problem, self.problem)
            and (not self.stacks or stack in self.stacks)
        )


def load(path: Path = FILE, *, rules: Sequence[str]) -> list[Exemption]:
    """Reads the list at `path`. Raises ValueError with all problems, such as unknown rules, missing keys or reasons."""
    try:
        document: object = yaml.safe_load(path.read_text(encoding="utf-8")) or []
    except OSError as error:
        raise ValueError(f"{path.name}: cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{path.name}: cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(document, list):
        raise ValueError(f"{path.name}: must be a list of exceptions")  # noqa: TRY004 -- a problem of the file
    entries = cast(list[object], document)
    problems = [
        f"{path.name}[{number}]: {problem}" for number, entry in enumerate(entries) for problem in _check(entry, rules)
    ]
    if problems:
        raise ValueError("\n".join(problems))
    return [Exemption(**cast(dict[str, Any], entry)) for entry in entries]


def _check(written: object, rules: Sequence[str]) -> list[str]:
    if not isinstance(written, dict):
        return [f"{written!r}; allowed: an object with {', '.join(sorted(_REQUIRED))}"]
    entry = cast(dict[str, Any], written)
    allowed = _REQUIRED | {"stacks"}
    problems = [f"{key}: required, but not set" for key in sorted(_REQUIRED - entry.keys())]
    problems += [f"{key}: unknown; allowed: {', '.join(sorted(allowed))}" for key in map(str, entry.keys() - allowed)]
    problems += [
        f"{key}: {entry[key]!r}; allowed: a text"
        for key in sorted(_REQUIRED & entry.keys())
        if not isinstance(entry[key], str)
    ]
    if not isinstance(entry.get("stacks", []), list):
        problems.append(f"stacks: {entry['stacks']!r}; allowed: a list of stacks")
    if "rule" in entry and entry["rule"] not in rules:
        problems.append(f"rule: {entry['rule']!r} is unknown; allowed: {', '.join(sorted(rules))}")
    if len(str(entry.get("reason", ""))) < _MIN_REASON and "reason" in entry:
        problems.append(f"reason: {entry['reason']!r}; allowed: a sentence that explains the exception")
    return problems
