"""Nothing that a test sets up for the whole process reaches the next one."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from observability_fastapi import failures


@pytest.fixture(autouse=True)
def process() -> Iterator[None]:
    names = (None, "uvicorn", "uvicorn.error", "uvicorn.access", "hypercorn.error", "gunicorn.error")
    loggers = [logging.getLogger(name) for name in names]
    before = [(one.handlers, one.level, one.filters[:], one.propagate, one.disabled) for one in loggers]
    # A server that another test ran in this process leaves its level behind, on loggers that nobody else sets.
    for logger in loggers[1:]:
        _set(logger, [], logging.NOTSET, [], True, False)
    vars(failures.FAILURES).update(vars(failures.Failures()))
    yield
    for logger, state in zip(loggers, before, strict=True):
        _set(logger, *state)
    structlog.reset_defaults()


def _set(logger: logging.Logger, handlers: Any, level: int, filters: Any, propagate: bool, disabled: bool) -> None:
    logger.handlers, logger.filters, logger.propagate, logger.disabled = handlers, filters, propagate, disabled
    logger.setLevel(level)
