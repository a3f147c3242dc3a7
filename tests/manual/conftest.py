"""The option `--draw`, with which `make generate` writes pages and pictures that follow from the program."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--draw", action="store_true", help="write the generated pages and pictures anew")
