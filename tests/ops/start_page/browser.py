"""A headless Chromium of Debian, unpacked into the cache, and steered over a pipe by its DevTools protocol."""

import base64
import itertools
import json
import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from local import debian

_PACKAGES = ("chromium-headless-shell", "fonts-dejavu-core")
_PROGRAM = "usr/lib/chromium/chromium-headless-shell"
_LIBRARIES = ("usr/lib/*-linux-gnu", "usr/lib/*-linux-gnu/pulseaudio")
_FONTS = "<fontconfig><dir>{root}/usr/share/fonts</dir><cachedir>{profile}/fonts</cachedir></fontconfig>"


class Browser:
    """One tab. Every method raises AssertionError if the browser refuses a command, and EOFError if it has ended."""

    def __init__(self, commands: IO[bytes], answers: IO[bytes]) -> None:
        """`commands` and `answers` are the two ends of the browser's pipe."""
        self.events: list[dict[str, Any]] = []
        """Events of the tab that nobody has waited for, oldest first."""
        self._commands, self._answers = commands, answers
        self._numbers = itertools.count(1)
        self._unread = b""
        target = self._call("Target.createTarget", {"url": "about:blank"})["targetId"]
        self._session = self._call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.tab(f"{domain}.enable")

    def tab(self, method: str, **parameters: object) -> dict[str, Any]:
        """The answer of the tab to a command of the protocol."""
        return self._call(method, parameters, self._session)

    def open(self, url: str) -> None:
        """Show a page, and wait until it is loaded."""
        problem = self.tab("Page.navigate", url=url).get("errorText")
        assert not problem, problem
        self.loaded()

    def loaded(self) -> None:
        """Wait for the next load of a page."""
        self.wait("Page.loadEventFired")

    def wait(self, event: str) -> None:
        """Wait for an event, which may have come during an earlier command."""
        while not any(one["method"] == event for one in self.events):
            self._read()
        index = next(number for number, one in enumerate(self.events) if one["method"] == event)
        del self.events[index]

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression in the page."""
        return self.tab("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def click(self, selector: str) -> None:
        """Click in the middle of an element with the mouse, as a person does."""
        x, y = self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.scrollIntoView();"
            " const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.tab("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def picture(self, file: Path, width: int = 1200, height: int = 900) -> None:
        """Write a screenshot as PNG."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.tab("Emulation.setDeviceMetricsOverride", **size)
        file.write_bytes(base64.b64decode(self.tab("Page.captureScreenshot", format="png")["data"]))

    def _call(self, method: str, parameters: object, session: str | None = None) -> dict[str, Any]:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        self._commands.write(json.dumps(message).encode() + b"\0")
        self._commands.flush()
        while (answer := self._read()).get("id") != number:
            pass
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._unread:
            more = os.read(self._answers.fileno(), 1 << 20)
            if not more:
                raise EOFError("the browser has ended")
            self._unread += more
        text, self._unread = self._unread.split(b"\0", 1)
        message: dict[str, Any] = json.loads(text)
        if "method" in message and "sessionId" in message:
            self.events.append(message)
        return message


@contextmanager
def browser(profile: Path) -> Generator[Browser]:
    """A browser whose profile is in this folder. Raises LocalError where Debian's packages cannot be unpacked."""
    root = debian.root("browser", _PACKAGES)
    fonts = profile / "fonts.conf"
    fonts.write_text(_FONTS.format(root=root, profile=profile))
    libraries = ":".join(str(folder) for pattern in _LIBRARIES for folder in root.glob(pattern))
    options = (
        # The sandbox needs user namespaces, which containers and root lack; the pages are ours.
        *("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"),
        *("--disable-background-networking", "--no-first-run", "--remote-debugging-pipe", f"--user-data-dir={profile}"),
    )
    with subprocess.Popen(
        # The protocol uses the descriptors 3 and 4.
        ["sh", "-c", 'exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null', str(root / _PROGRAM), *options],
        env={
            "PATH": "/usr/bin:/bin",
            "LD_LIBRARY_PATH": libraries,
            "FONTCONFIG_FILE": str(fonts),
            "HOME": str(profile),
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=(profile / "log").open("wb"),
    ) as process:
        assert process.stdin
        assert process.stdout
        try:
            yield Browser(process.stdin, process.stdout)
        finally:
            process.kill()
