"""A call is repeated as long as its service may only be busy."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ops.clients.signals import Api
from ops.errors import OpsError


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a service that answers the second request only."""
    monkeypatch.setattr("ops.clients.signals.ANSWER_TIMEOUT", 0.2)
    monkeypatch.setattr("ops.clients.signals.FIRST_PATIENCE", 0.0)
    asked, ended = iter([False, True]), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not next(asked, True):
                ended.wait()
                return
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"7")

        def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    ended.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_first_call_waits_for_a_service_that_listens_but_is_busy(busy: str) -> None:
    assert Api("Alertmanager", busy).get("/") == 7


def test_the_first_call_does_not_wait_for_an_address_where_nothing_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ops.clients.signals.FIRST_PATIENCE", 0.0)
    with pytest.raises(OpsError, match=r"Alertmanager at http://127\.0\.0\.1:1 does not answer"):
        Api("Alertmanager", "http://127.0.0.1:1").get("/")
