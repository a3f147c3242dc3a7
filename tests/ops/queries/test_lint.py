"""What check-queries says about the rules with the linter, and how that decides its exit code."""

from collections.abc import Mapping
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from engine.rule_checks import pint
from ops.queries.check_queries import lint

RULES = {"shop.yaml": "groups: []"}


@pytest.mark.parametrize(
    ("found", "code"), [((["a join is wrong [5m]"], ["b"]), 1), (([], ["a rate [5m] is short"]), 0), (([], []), 0)]
)
def test_mistakes_fail_and_warnings_are_shown(
    found: tuple[list[str], list[str]], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Mapping[str, str], str]] = []

    def live_problems(_: Path, rules: Mapping[str, str], folder: Path, url: str) -> tuple[list[str], list[str]]:
        assert folder.is_dir()
        asked.append((rules, url))
        return found

    monkeypatch.setattr(pint, "live_problems", live_problems)
    console = Console(file=StringIO(), width=200, record=True)
    assert lint(console, Path("/no/pint"), RULES, "http://prometheus") == code
    assert asked == [(RULES, "http://prometheus")]
    shown = console.export_text()
    assert all(text in shown for texts in found for text in texts)
    assert f"{len(found[0])} mistakes and {len(found[1])} warnings" in shown


def test_a_linter_that_is_not_built_is_named_and_fails_nothing() -> None:
    console = Console(file=StringIO(), width=200, record=True)
    assert lint(console, None, RULES, "http://prometheus") == 0
    assert "not checked by pint" in console.export_text()
