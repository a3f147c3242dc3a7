"""Each stack of the project on the mock engine."""

from collections.abc import Callable

import pytest

from tests.mock_engine import STACKS, Recorded


@pytest.fixture(params=STACKS)
def stack(request: pytest.FixtureRequest, program: Callable[..., Recorded], preview: bool) -> Recorded:
    """Each stack, as an update and as a preview."""
    return program(request.param, preview=preview)
