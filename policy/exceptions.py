"""The reasoned list of what a rule may be broken for."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, cast

import yaml

from policy.resource import Resource

FILE = Path(__file__).with_name("exceptions.yaml")
_REQUIRED = {"rule", "type", "name", "problem", "reason"}
_LEAST_REASON = 20  # letters; less is no reason


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
        """Whether it allows what a rule found."""
        return (
            (self.rule, self.type) == (rule, resource.type)
            and fnmatchcase(resource.name, self.name)
            and fnmatchcase(problem, self.problem)
            and (not self.stacks or stack in self.stacks)
        )


def load(path: Path = FILE, *, rules: Sequence[str]) -> list[Exemption]:
    """The list of `path`. Raises ValueError with every problem: an unknown rule or key, a missing key or reason."""
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
    if len(str(entry.get("reason", ""))) < _LEAST_REASON and "reason" in entry:
        problems.append(f"reason: {entry['reason']!r}; allowed: a sentence that says why")
    return problems
