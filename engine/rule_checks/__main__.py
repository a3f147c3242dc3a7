"""`python -m engine.rule_checks`: judges what every stack deploys, with programs that are built if they are missing.

Exit code 1 if a program refuses something.
"""

import sys

from engine import rule_checks
from local import toolchain
from local.errors import LocalError
from settings import stack_files


def main() -> int:
    """Print each problem. Returns the exit code."""
    try:
        toolchain.ensure(list(rule_checks.PROGRAMS))
        problems = rule_checks.of_stacks(stack_files.names()).problems
    except (LocalError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for problem in problems:
        print(problem)
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
