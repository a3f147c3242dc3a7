"""Serves another server behind the guard, one request a connection."""

import socket
import threading
from contextlib import AbstractContextManager, suppress
from email.message import Message
from urllib.parse import urlsplit

from ops.start_page.guard import Guard
from ops.start_page.serving import Handler, serving

_BLOCK = 64 * 1024
# They concern one connection only, and there is another one behind the guard.
_HOP = ("connection", "keep-alive", "proxy-connection", "expect")


def guarded(guard: Guard, port: int, url: str) -> AbstractContextManager[str]:
    """`http://localhost:PORT` of the server at `url` (http), valid while the block runs. Port 0 takes a free one."""
    parts = urlsplit(url)
    upstream = (parts.hostname, parts.port or 80)
    return serving(type("Guarded", (_Forward,), {"guard": guard, "upstream": upstream}), port)


class _Forward(Handler):
    upstream: tuple[str, int]

    def respond(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdigit():
            self.answer(411, "A request must say its length in Content-Length.\n")
            return
        try:
            with socket.create_connection(self.upstream, timeout=self.timeout) as behind:
                self._pass_request(behind, int(length))
                # From here on the client sees the server's own words: an error may only end the connection.
                with suppress(OSError):
                    self._pass_answer(behind)
        except OSError as error:
            self.answer(502, f"The server does not answer: {error}\n")

    def _pass_request(self, behind: socket.socket, length: int) -> None:
        behind.sendall(_head(f"{self.command} {self.path}", self.headers, self.guard))
        while length > 0 and (block := self.rfile.read(min(length, _BLOCK))):
            behind.sendall(block)
            length -= len(block)

    def _pass_answer(self, behind: socket.socket) -> None:
        # An answer, or a connection that both sides keep open, may pause for as long as it likes.
        behind.settimeout(None)
        self.connection.settimeout(None)
        with behind.makefile("rb") as answer:
            self.wfile.write(answer.readline(_BLOCK))
            if self.guard.gives_cookie(self.command, self.headers):
                self.wfile.write(f"Set-Cookie: {self.guard.cookie}\r\n".encode())
            if _upgrades(self.headers):
                threading.Thread(target=self._pass_more, args=(behind,), daemon=True).start()
            while block := answer.read1(_BLOCK):
                self.wfile.write(block)

    def _pass_more(self, behind: socket.socket) -> None:
        """What the client sends after the connection has become one of another protocol."""
        with suppress(OSError, ValueError):
            while block := self.rfile.read1(_BLOCK):
                behind.sendall(block)
            behind.shutdown(socket.SHUT_WR)


def _head(request: str, headers: Message, guard: Guard) -> bytes:
    """The request without the token. The server ends the connection after it, so it reads nothing as another one."""
    lines = [f"{request} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in guard.passed(headers) if name.lower() not in _HOP]
    lines.append(f"Connection: {'Upgrade' if _upgrades(headers) else 'close'}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _upgrades(headers: Message) -> bool:
    return "upgrade" in headers.get("Connection", "").lower() and "Upgrade" in headers
