"""The error that `local/` and `engine/` show to users: what is wrong, and what to do."""


class LocalError(Exception):
    """A problem that the user can solve; the command line prints only its text."""
