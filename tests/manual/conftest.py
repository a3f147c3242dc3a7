"""`make generate` draws what follows from the program anew: `--draw`."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--draw", action="store_true", help="write the generated pages and pictures anew")
