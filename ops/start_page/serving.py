"""A server on the loopback address that asks the guard about each request."""

import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ops.start_page.guard import Guard


class Handler(BaseHTTPRequestHandler):
    """Handles allowed requests of all methods in one function, and logs nothing: the terminal shows the endpoints."""

    protocol_version = "HTTP/1.1"
    timeout = 60.0
    """Seconds within which a client must send its request. Browsers keep spare connections open."""
    guard: Guard

    def respond(self) -> None:
        """Handle a request: subclasses read `command`, `path`, `headers` and the body, and then answer."""
        raise NotImplementedError

    def do_GET(self) -> None:
        self.close_connection = True
        if refusal := self.guard.refusal(self.command, self.path, self.headers):
            self.answer(403, f"{refusal}\n")
        else:
            self.respond()

    do_DELETE = do_HEAD = do_OPTIONS = do_PATCH = do_POST = do_PUT = do_GET  # noqa: N815 -- names of the base class

    def answer(
        self, status: int, text: str = "", kind: str = "text/plain", headers: Mapping[str, str] | None = None
    ) -> None:
        """Send a complete answer, with further `headers`."""
        content = text.encode()
        self.send_response(status)
        more = {"Content-Type": f"{kind}; charset=utf-8", "Content-Length": str(len(content)), "Connection": "close"}
        for name, value in {**more, "Cache-Control": "no-store", **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the name in http.server
        """Print nothing."""


@contextmanager
def serving(handler: type[Handler], port: int) -> Generator[str]:
    """`http://localhost:PORT` of a server with this handler, valid while the block runs. Port 0 takes a free one."""
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
