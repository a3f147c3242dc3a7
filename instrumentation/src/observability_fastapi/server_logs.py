"""The server's own log lines: in the common format, and without those that repeat what the middleware has written."""

import logging

from observability_fastapi.current import CURRENT
from observability_fastapi.logs import is_own

_ERRORS = ("uvicorn.error", "gunicorn.error", "hypercorn.error")
_ACCESS = ("uvicorn.access", "gunicorn.access", "hypercorn.access")
_MARK = "_observability_fastapi_written"
"""Attribute of an exception whose log line the middleware has written."""


def take() -> None:
    """Write the server's lines in the common format; servers install their own handlers when they start."""
    for name in ("uvicorn", *_ERRORS, *_ACCESS):
        if name in logging.root.manager.loggerDict:
            logger = logging.getLogger(name)
            logger.handlers = [one for one in logger.handlers if not is_own(one)]
            logger.propagate = True


def mute(*, access: bool) -> None:
    """Drop the server's lines about exceptions and requests that the middleware has written.

    With `access`, also drop the access lines of requests that the middleware does not measure, such as probes.
    """
    for name in _ERRORS:
        _filter(name, _Errors())
    for name in _ACCESS:
        _filter(name, _Access(every=access))


def written(error: BaseException) -> None:
    """Note that the middleware has written the exception that it raises now."""
    setattr(error, _MARK, True)


def _filter(name: str, new: logging.Filter) -> None:
    logger = logging.getLogger(name)
    for old in [one for one in logger.filters if type(one) is type(new)]:
        logger.removeFilter(old)
    logger.addFilter(new)


class _Errors(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if error is None or not getattr(error, _MARK, False):
            return True
        # The same object may be raised again, where nobody writes it down.
        delattr(error, _MARK)
        return False


class _Access(logging.Filter):
    def __init__(self, *, every: bool) -> None:
        super().__init__()
        self._every = every

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno > logging.INFO or not (self._every or CURRENT.get() is not None)
