"""Nothing that a test sets up for the whole process reaches the next one."""

import logging
from collections.abc import Iterator

import pytest
import structlog
from observability_fastapi import failures


@pytest.fixture(autouse=True)
def process() -> Iterator[None]:
    names = (None, "uvicorn", "uvicorn.error", "uvicorn.access", "hypercorn.error", "gunicorn.error")
    loggers = [logging.getLogger(name) for name in names]
    before = [(one.handlers, one.level, one.filters[:], one.propagate) for one in loggers]
    vars(failures.FAILURES).update(vars(failures.Failures()))
    yield
    for logger, (handlers, level, filters, propagate) in zip(loggers, before, strict=True):
        logger.handlers, logger.filters, logger.propagate = handlers, filters, propagate
        logger.setLevel(level)
    structlog.reset_defaults()
