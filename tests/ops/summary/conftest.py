"""Changes of a copy, compared with the checkout."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ops.summary import content_diff
from ops.summary.changes import Change
from tests.ops.summary.edited import STACK, Copy, original


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


@pytest.fixture
def changes(copy: Copy) -> Callable[..., dict[str, Change]]:
    """`changes()`: name -> what differs between the checkout and the edited copy, which must be readable."""

    def compare(stack: str = STACK) -> dict[str, Change]:
        after = copy.read(stack)
        assert after.problems == ()
        found: dict[str, Change] = {}
        for change in content_diff.changes(original(stack), after):
            found.setdefault(change.name, change)  # of an alert and its runbook the alert comes first
        return found

    return compare
