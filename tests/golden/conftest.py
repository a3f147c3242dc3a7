"""`make golden ARGS=--write` writes the lists anew. What is gone without an alias has to be named: --removed NAME."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write", action="store_true", help="write the lists of resources anew")
    parser.addoption("--removed", action="append", default=[], help="name of a resource that is meant to be deleted")
