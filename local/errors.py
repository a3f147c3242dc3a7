"""The one kind of error that `local/` shows to a person: what is wrong, and what to do."""


class LocalError(Exception):
    """A problem that the reader can solve; its text is all that the command line prints."""
