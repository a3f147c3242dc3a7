"""The commands of the quickstart, read from its page."""

import re

from tests.mock_engine import ROOT

PAGE = ROOT / "docs" / "quickstart.md"
TARGETS = ("preview", "open", "outputs", "kubectl", "check-queries")
"""The make targets that test_quickstart.py runs on the local stack."""


def curls(offset: int) -> list[str]:
    """The page's curl commands in order, with `offset` added to every port on localhost."""
    lines = [line.strip() for line in PAGE.read_text().splitlines() if line.startswith("    curl ")]
    return [re.sub(r"localhost:(\d+)", lambda port: f"localhost:{int(port[1]) + offset}", line) for line in lines]
