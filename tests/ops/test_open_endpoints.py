"""`make open` starts nothing when it cannot serve everything."""

import socket

import pytest
from typer.testing import CliRunner

from ops import open_endpoints
from ops.__main__ import app
from ops.errors import OpsError


def test_a_port_in_use_is_named_and_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_endpoints, "service_url", lambda *_, **__: pytest.fail("a forward was started"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 39093))
        taken.listen()
        result = CliRunner().invoke(app, ["open", "--offset", "30000"])
    assert isinstance(result.exception, OpsError)
    assert str(result.exception) == (
        "port in use: 39093 (alertmanager); end what uses it, or choose others: --offset 10000"
    )


def test_an_unknown_environment_names_the_known_ones() -> None:
    result = CliRunner().invoke(app, ["open", "--environment", "nowhere"])
    assert "unknown environment 'nowhere'; there are: local, production, staging" in str(result.exception)
