"""Serves the start page on the loopback address."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import cast
from urllib.parse import parse_qs, urlsplit

import jinja2

from alerting.files import RULES
from ops.errors import OpsError
from ops.start_page.state import Stack, State

PORT = 8888
"""Port of the page, outside the ports of the endpoints."""
RUNBOOKS = "/runbooks"
"""Path of the runbooks: links in the notifications of the local stack lead here."""
_LONGEST_BODY = 1000


def html(state: State) -> str:
    """The page, without scripts and without anything from elsewhere."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(state=state)


@contextmanager
def serve(stack: Stack, port: int = PORT) -> Generator[str]:
    """The page's URL, valid while the block runs. Port 0 takes a free one."""
    server = _Server(port, stack)
    threading.Thread(target=server.serve_forever, args=(0.05,), name="start-page", daemon=True).start()
    try:
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, stack: Stack) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.stack = stack


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if not self._is_own_page():
            self._answer(403, "The page is served to this machine only.")
            return
        folder, _, name = urlsplit(self.path).path.rpartition("/")
        if (folder, name) == ("", ""):
            self._answer(200, html(self._stack.state()), kind="text/html")
        elif folder == RUNBOOKS and name in {file.name for file in (RULES / "runbooks").glob("*.md")}:
            self._answer(200, (RULES / "runbooks" / name).read_text())
        else:
            self._answer(404, f"There are the start page, /, and {RUNBOOKS}/ALERT.md.")

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not self._is_own_page():
            self._answer(403, "Only this page may switch faults.")
        elif not length.isdigit() or int(length) > _LONGEST_BODY:
            self._answer(400, f"The body must have a length of at most {_LONGEST_BODY} bytes.")
        else:
            form = {key: values[0] for key, values in parse_qs(self.rfile.read(int(length)).decode()).items()}
            self._switch(form)

    def _switch(self, form: dict[str, str]) -> None:
        if form.get("to") not in ("on", "off"):
            self._answer(400, "`to` is not allowed; allowed: on or off")
            return
        try:
            self._stack.switch(form.get("system", ""), form.get("fault", ""), on=form["to"] == "on")
        except OpsError as error:
            self._answer(400, str(error))
        else:
            self.send_response(303)
            self.send_header("Location", "/#faults")
            self.send_header("Content-Length", "0")
            self.end_headers()

    @property
    def _stack(self) -> Stack:
        return cast(_Server, self.server).stack

    def _is_own_page(self) -> bool:
        """Whether the browser shows this server: another site must neither read the page nor switch faults.

        A site that lets its own name point to this machine sends that name as Host.
        """
        host = self.headers.get("Host", "")
        own = host.rsplit(":", 1)[0] in ("localhost", "127.0.0.1")
        return own and self.headers.get("Origin", f"http://{host}") == f"http://{host}"

    def _answer(self, status: int, text: str, kind: str = "text/plain") -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the name in http.server
        """Prints nothing: the terminal shows the endpoints."""
