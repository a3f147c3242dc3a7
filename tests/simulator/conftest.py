"""Fixtures for tests of several systems."""

import logging
from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture
def unlogged() -> Iterator[None]:
    """Silences the log of simulated pods. Hours of it would be written within a second, and no test reads it."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()
