"""What long steps print while they run."""

import sys


def say(line: str) -> None:
    """Print one line to stderr at once, so that the output of a command stays its result."""
    print(line, file=sys.stderr, flush=True)
