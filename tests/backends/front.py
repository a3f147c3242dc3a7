"""Stands where an OpenSearch domain's own door is: TLS and a password in front of a node that has neither.

The node behind it is real; the door is not OpenSearch's, whose security plugin no package registry has.
"""

import base64
import ssl
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from tests.backends.servers import Certificate

_KEPT = ("Accept", "Content-Type", "Content-Encoding")


@contextmanager
def front(behind: str, certificate: Certificate, username: str, password: str) -> Generator[str]:
    """https URL of a door to `behind` for one user; everybody else gets 401 and never reaches it."""
    expected = "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass(self) -> None:
            body = b"".join(self._chunks())
            if self.headers.get("Authorization") != expected:
                self._answer(401, "text/plain", b"Unauthorized")
                return
            kept = {key: value for key, value in self.headers.items() if key in _KEPT}
            found = httpx.request(self.command, behind + self.path, content=body, headers=kept, timeout=60)
            self._answer(found.status_code, found.headers.get("Content-Type", "text/plain"), found.content)

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _pass  # noqa: N815 -- the base class calls them so

        def _chunks(self) -> Iterator[bytes]:
            """The request's body, whose length Jaeger's client does not say before."""
            if self.headers.get("Transfer-Encoding") != "chunked":
                yield self.rfile.read(int(self.headers.get("Content-Length") or 0))
                return
            while size := int(self.rfile.readline(), 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the base class calls it so
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
