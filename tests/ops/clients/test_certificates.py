"""Clients read the machine's certificates once, not for each call."""

import ast
from collections.abc import Iterator

from ops.clients.certificates import certificates
from tests.mock_engine import ROOT

CALLS = {"get", "post", "put", "patch", "delete", "request", "stream", "Client"}


def calls_without(keyword: str) -> Iterator[str]:
    for file in sorted((ROOT / "ops").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="httpx"), attr=name)) if name in CALLS:
                    if keyword not in {one.arg for one in node.keywords}:
                        yield f"{file.relative_to(ROOT)}:{node.lineno}"
                case _:
                    pass


def test_they_are_read_once() -> None:
    assert certificates() is certificates()


def test_every_call_uses_them() -> None:
    """Without `verify`, httpx reads all certificates, and a forward asks its service every two seconds."""
    assert list(calls_without("verify")) == []
    assert list(calls_without("timeout")) == []
