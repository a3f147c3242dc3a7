"""A fixture that runs each stack of the project on the mock engine."""

from collections.abc import Callable

import pytest

from tests.mock_engine import STACKS, Recorded


@pytest.fixture(params=STACKS)
def stack(request: pytest.FixtureRequest, program: Callable[..., Recorded], preview: bool) -> Recorded:
    """The recorded resources of each stack, once for an update and once for a preview."""
    return program(request.param, preview=preview)
