"""The quickstart's commands, taken from its page."""

import re

from tests.mock_engine import ROOT

PAGE = ROOT / "docs" / "quickstart.md"
TARGETS = ("preview", "open", "outputs", "kubectl", "check-queries")
"""What test_quickstart runs against the local stack."""


def curls(offset: int) -> list[str]:
    """Its curl commands in their order, with every port of this machine moved by `offset`."""
    lines = [line.strip() for line in PAGE.read_text().splitlines() if line.startswith("    curl ")]
    return [re.sub(r"localhost:(\d+)", lambda port: f"localhost:{int(port[1]) + offset}", line) for line in lines]
