"""Errors that end a command with one clear text instead of a traceback."""


class OpsError(Exception):
    """Something outside this program is not as it must be: unreachable, missing, not ready. Exit code 1."""


class UsageError(OpsError):
    """The command was asked for something that does not exist. Exit code 2."""
