"""Every claim of the security model names tests that exist."""

import re

import pytest

from tests.mock_engine import ROOT

ROWS = [
    line.strip("|").split(" | ")
    for line in (ROOT / "docs/security.md").read_text().splitlines()
    if line.startswith("| ") and line.count(" | ") == 2 and not line.startswith("| boundary")
]


def test_the_table_is_read() -> None:
    assert len(ROWS) >= 15


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].strip())
def test_a_claim_names_its_tests(row: list[str]) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", row[2])
    assert named, "no test proves it"
    for file, function in named:
        assert (ROOT / file).is_file(), file
        if function:
            assert f"def {function}(" in (ROOT / file).read_text(), f"{file} has no {function}"
