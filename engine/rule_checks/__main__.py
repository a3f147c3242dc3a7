"""`python -m engine.rule_checks`: judges what every stack deploys, with programs that are built if they are missing.

Besides the programs that will read it, a linter judges the rules: it stops no deployment, but a change.

Exit code 1 if a program refuses something.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from engine import rule_checks
from engine.rule_checks import pint
from local import toolchain
from local.errors import LocalError
from settings import deployed, stack_files
from settings.eks import secret_references


def main() -> int:
    """Print each problem. Returns the exit code."""
    try:
        toolchain.ensure([*rule_checks.PROGRAMS, "pint"])
        problems = [*rule_checks.of_stacks(stack_files.names()).problems, *_linted()]
    except (LocalError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for problem in problems:
        print(problem)
    return int(bool(problems))


def _linted() -> list[str]:
    stacks = [deployed.read(stack, secret_references.placeholder) for stack in stack_files.names()]
    with TemporaryDirectory(prefix="pint-") as folder:
        return pint.problems(toolchain.built("pint"), stacks, Path(folder))


if __name__ == "__main__":
    sys.exit(main())
