"""Fixtures: an edited copy of the rules, and its differences from the original."""

import functools
from collections.abc import Callable
from pathlib import Path

import pytest

from ops.review import content_diff
from ops.review.changes import Change
from ops.review.snapshot import Snapshot
from tests.ops.review.edited import STACK, Copy


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Snapshot]:
    """`original(stack)` gives the snapshot of an unchanged copy."""
    return functools.cache(Copy(tmp_path_factory.mktemp("original")).read)


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


@pytest.fixture
def changes(copy: Copy, original: Callable[[str], Snapshot]) -> Callable[..., dict[str, Change]]:
    """`changes()` maps a name to its change between the original and the edited copy, which must be readable."""

    def compare(stack: str = STACK) -> dict[str, Change]:
        after = copy.read(stack)
        assert after.problems == ()
        found: dict[str, Change] = {}
        for change in content_diff.changes(original(stack), after):
            found.setdefault(change.name, change)  # an alert comes before its runbook, which has the same name
        return found

    return compare
