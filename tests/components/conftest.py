"""Each stack of the project on the mock engine."""

from collections.abc import Callable

import pytest

from tests.mock_engine import STACKS, Recorded

_RUNS: dict[tuple[str, bool], Recorded] = {}


@pytest.fixture(params=STACKS)
def stack(request: pytest.FixtureRequest, program: Callable[..., Recorded], preview: bool) -> Recorded:
    """Each stack, as an update and as a preview. Tests only read it, so one run serves them all."""
    key = (request.param, preview)
    if key not in _RUNS:
        _RUNS[key] = program(request.param, preview=preview)
    return _RUNS[key]
