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
    entries = cast(list[dict[str, Any]], yaml.safe_load(path.read_text()) or [])
    problems = [
        f"{path.name}[{number}]: {problem}" for number, entry in enumerate(entries) for problem in _check(entry, rules)
    ]
    if problems:
        raise ValueError("\n".join(problems))
    return [Exemption(**entry) for entry in entries]


def _check(entry: dict[str, Any], rules: Sequence[str]) -> list[str]:
    allowed = _REQUIRED | {"stacks"}
    problems = [f"{key}: required, but not set" for key in sorted(_REQUIRED - entry.keys())]
    problems += [f"{key}: unknown; allowed: {', '.join(sorted(allowed))}" for key in sorted(entry.keys() - allowed)]
    if "rule" in entry and entry["rule"] not in rules:
        problems.append(f"rule: {entry['rule']!r} is unknown; allowed: {', '.join(sorted(rules))}")
    if len(str(entry.get("reason", ""))) < _MIN_REASON and "reason" in entry:
        problems.append(f"reason: {entry['reason']!r}; allowed: a sentence that explains the exception")
    return problems
