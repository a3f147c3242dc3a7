"""Serves the start page on the loopback address."""

from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import jinja2

from alerting.files import RULES
from ops.errors import OpsError
from ops.start_page.guard import Guard
from ops.start_page.serving import Handler, serving
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


def serve(stack: Stack, guard: Guard, port: int = PORT) -> AbstractContextManager[str]:
    """The page's URL, valid while the block runs. Port 0 takes a free one."""
    return serving(type("Page", (_Page,), {"guard": guard, "stack": stack}), port)


class _Page(Handler):
    stack: Stack

    def respond(self) -> None:
        folder, _, name = urlsplit(self.path).path.rpartition("/")
        if self.command == "POST":
            self._post()
        elif self.command != "GET":
            self.answer(405, "The page takes GET and POST only.\n")
        elif (folder, name) == ("", ""):
            policy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
            headers = {"Content-Security-Policy": policy, "Set-Cookie": self.guard.cookie}
            self.answer(200, html(self.stack.state()), "text/html", headers)
        elif folder == RUNBOOKS and name in {file.name for file in (RULES / "runbooks").glob("*.md")}:
            self.answer(200, (RULES / "runbooks" / name).read_text())
        else:
            self.answer(404, f"There are the start page, /, and {RUNBOOKS}/ALERT.md.\n")

    def _post(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > _LONGEST_BODY:
            self.answer(400, f"The body must have a length of at most {_LONGEST_BODY} bytes.")
        else:
            form = {key: values[0] for key, values in parse_qs(self.rfile.read(int(length)).decode()).items()}
            self._switch(form)

    def _switch(self, form: dict[str, str]) -> None:
        if form.get("to") not in ("on", "off"):
            self.answer(400, "`to` is not allowed; allowed: on or off")
            return
        try:
            self.stack.switch(form.get("system", ""), form.get("fault", ""), on=form["to"] == "on")
        except OpsError as error:
            self.answer(400, str(error))
        else:
            self.answer(303, headers={"Location": "/#faults"})
