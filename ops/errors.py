"""Errors that end a command with one clear message instead of a traceback."""


class OpsError(Exception):
    """Something that the command needs is unreachable, missing, not ready or invalid. Exit code 1."""


class UsageError(OpsError):
    """The command line or the environment is wrong, such as an unknown stack. Exit code 2."""
