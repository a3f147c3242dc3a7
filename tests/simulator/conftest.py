"""What tests of several systems share."""

import logging
from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture
def unlogged() -> Iterator[None]:
    """Simulated pods write no lines: hours of them pass in a second, and nobody reads what they say."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()
