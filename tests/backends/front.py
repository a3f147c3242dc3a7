"""Stands where an OpenSearch domain's own door is: TLS and a password in front of a node that has neither.

The node behind it is real; the door is not OpenSearch's, whose security plugin no package registry has.
"""

import base64
import gzip
import ssl
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from tests.backends import search_rights
from tests.backends.servers import Certificate
from tools.http_server import Handler, serving

_KEPT = ("Accept", "Content-Type", "Content-Encoding")


@contextmanager
def front(
    behind: str, certificate: Certificate, username: str, password: str, role: Mapping[str, Any] | None = None
) -> Generator[str]:
    """https URL of a door to `behind` for one user; everybody else gets 401 and never reaches it.

    With a role, the user gets 403 for what the role does not allow.
    """
    expected = "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()

    class Door(Handler):
        protocol_version = "HTTP/1.1"

        def respond(self) -> None:
            body = b"".join(self._chunks())
            if self.headers.get("Authorization") != expected:
                self.answer(401, b"Unauthorized", "text/plain")
                return
            plain = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
            if role and (lacking := search_rights.refusal(role, self.command, self.path, plain)):
                self.answer(403, lacking.encode(), "text/plain")
                return
            kept = {key: value for key, value in self.headers.items() if key in _KEPT}
            found = httpx.request(self.command, behind + self.path, content=body, headers=kept, timeout=60)
            self.answer(found.status_code, found.content, found.headers.get("Content-Type", "text/plain"))

        def _chunks(self) -> Iterator[bytes]:
            """The request's body, whose length Jaeger's client does not say before."""
            if self.headers.get("Transfer-Encoding") != "chunked":
                yield self.body()
                return
            while size := int(self.rfile.readline(), 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)
    with serving(Door, tls=context) as url:
        yield url
