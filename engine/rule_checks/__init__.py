"""Asks the programs that will read a stack's rules, routes and message templates whether they accept them.

promtool judges Prometheus's rules, Loki those of its ruler, and amtool Alertmanager's configuration and templates. They
are the pinned programs, so they know exactly the language that the deployed ones know.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from engine.rule_checks import alertmanager, loki, prometheus
from local import toolchain
from settings import deployed
from settings.deployed import Deployed
from settings.eks import secret_references

_Check = Callable[[Path, Sequence[Deployed], Path], list[str]]
_CHECKS: dict[str, _Check] = {
    "promtool": prometheus.problems,
    "loki": loki.problems,
    "amtool": alertmanager.problems,
}
PROGRAMS = tuple(_CHECKS)
"""Names of the programs that judge."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What the programs say."""

    problems: Sequence[str]
    """Each with its file, its place there, what the program says, and the text that it is about. All are listed."""
    absent: Sequence[str]
    """Programs that are neither in PATH nor built; what they judge is unchecked."""


def of_stacks(stacks: Sequence[str]) -> Result:
    """Judges what these stacks deploy. Placeholders stand for secrets.

    Raises ValueError if a file cannot be read or its content is refused before any program is asked.
    """
    return of_texts([deployed.read(stack, secret_references.placeholder) for stack in stacks])


def of_texts(found: Sequence[Deployed]) -> Result:
    """Judges these texts by the programs that are there; a problem that several stacks share is listed once."""
    programs = {name: toolchain.present(name) for name in PROGRAMS}
    with TemporaryDirectory(prefix="rule-checks-") as folder, ThreadPoolExecutor() as pool:
        asked = [
            pool.submit(check, program, found, Path(folder) / name)
            for name, check in _CHECKS.items()
            if (program := programs[name])
        ]
        problems = dict.fromkeys(problem for one in asked for problem in one.result())
    return Result(problems=list(problems), absent=[name for name, program in programs.items() if program is None])
