"""HTTP servers on loopback that take the place of another server; each test decides what its server answers."""

import ssl
import sys
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Handler(BaseHTTPRequestHandler):
    """Handles requests of all methods in one function, and logs nothing."""

    def respond(self) -> None:
        """Handle a request: subclasses read `command`, `path`, `headers` and the body, and then call `answer`."""
        raise NotImplementedError

    def do_GET(self) -> None:
        self.respond()

    do_DELETE = do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815 -- names of the base class

    def body(self) -> bytes:
        """The body of the request."""
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(
        self, status: int, body: bytes = b"", kind: str = "application/json", headers: Mapping[str, str] | None = None
    ) -> None:
        """Send a complete answer, with further `headers`."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- name of the base class
        del format, args


class _Server(ThreadingHTTPServer):
    request_queue_size = 200  # an Alertmanager sends the notifications of all groups at once

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Prints the error of a handler, except that its client has ended meanwhile."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def serving(handler: type[Handler], port: int = 0, tls: ssl.SSLContext | None = None) -> Generator[str]:
    """Runs a server with this handler while the block runs. Yields its URL without a slash at the end."""
    server = _Server(("127.0.0.1", port), handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
