"""The error that `local/` and `engine/` show to users: what is wrong, and what to do."""

import sys
from collections.abc import Callable


class LocalError(Exception):
    """A problem that the user can solve; the command line prints only its text."""


def run_command_line(app: Callable[[], object]) -> None:
    """Runs the command line. A LocalError is printed without a traceback, and ends the program with exit code 1.

    So is a file that cannot be read or written, such as those of a run on a full or read-only disk.
    """
    try:
        app()
    except LocalError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        if error.filename is None:
            raise
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        sys.exit(1)
