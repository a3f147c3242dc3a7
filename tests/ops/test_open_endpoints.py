"""`make open` serves all endpoints of a stack, or starts nothing."""

import socket
from collections.abc import Callable

import pytest
from typer.testing import CliRunner

from ops import open_endpoints
from ops.__main__ import app
from ops.environment import LOCAL, load
from ops.errors import OpsError
from tests.mock_engine import Recorded

# All ports stay below those of outgoing connections and below those that local.ports gives to tests, and none is served
# by tests/e2e/test_quickstart.py, which may run at the same time.
OFFSET = 2_700


def test_a_port_in_use_is_named_and_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_endpoints, "service_url", lambda *_, **__: pytest.fail("a forward was started"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 9093 + OFFSET))
        taken.listen()
        result = CliRunner().invoke(app, ["open", "--offset", str(OFFSET)])
    assert isinstance(result.exception, OpsError)
    assert str(result.exception) == (
        f"port in use: {9093 + OFFSET} (alertmanager); stop the program using it, or add --offset 10000"
    )


def test_an_unknown_environment_names_the_known_ones() -> None:
    result = CliRunner().invoke(app, ["open", "--environment", "nowhere"])
    assert "unknown environment 'nowhere'; there are: local, production, staging" in str(result.exception)


def test_every_exported_endpoint_is_served_at_its_exported_address(
    program: Callable[..., Recorded], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.choice.runs_grafana", lambda: True)
    exported = {
        (one["open"].split("svc/")[1].split()[0], one["external_url"])
        for one in program("local").exports["endpoints"].values()
    }
    served = open_endpoints.endpoints(load(LOCAL)).values()
    assert {(service.name, f"http://localhost:{port}") for service, port in served} == exported
