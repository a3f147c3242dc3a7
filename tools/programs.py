"""Runs the platform's real programs on loopback, for tests."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

from local.toolchain import tool

SECONDS = 120.0
"""Timeout for anything that takes a second on an idle machine."""


def eventually(
    condition: Callable[[], Any],
    *,
    what: str,
    seconds: float = SECONDS,
    pause: float = 0.2,
    not_yet: tuple[type[Exception], ...] = (httpx.HTTPError, KeyError),
) -> Any:
    """The first true result of `condition`, which is called every `pause` seconds; fails with `what` after `seconds`.

    The errors in `not_yet` count as no result; the failure contains the last result or error.
    """
    deadline = time.monotonic() + seconds
    last: Any = None
    while time.monotonic() < deadline:
        try:
            last = condition()
            if last:
                return last
        except not_yet as error:
            last = error
        time.sleep(pause)
    return pytest.fail(f"{what}; last result after {seconds:.0f} s: {last!r}")


@dataclass(eq=False)  # two servers are never the same, and results of one are cached
class Server:
    """A program with its own folder, which can be ended, killed and restarted.

    As a context manager, it starts the program, waits until it is ready, and kills it at the end.
    """

    name: str
    arguments: Sequence[object]
    folder: Path
    health: str
    """URL that answers 200 when the program is ready."""
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """The output of all starts."""
        return (self.folder / "log").read_text(errors="replace")

    def launch(self) -> None:
        """Start the program without waiting."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(tool(self.name)), *map(str, self.arguments)],
                cwd=self.folder,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def ready(self) -> bool:
        """Whether the health URL answers with success."""
        try:
            return httpx.get(self.health, timeout=5).is_success
        except httpx.HTTPError:
            return False

    def start(self) -> None:
        """Start the program and wait until it is ready."""
        self.launch()
        assert self.process
        deadline = time.monotonic() + SECONDS
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"{self.name} does not start:\n{self.log[-3000:]}")
            time.sleep(0.1)

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Send the signal and wait until the program has ended."""
        if self.process is None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.end(signal.SIGKILL)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.end(signal.SIGKILL)


def configured(name: str, config: str, folder: Path, health: str, flags: Sequence[str] = ()) -> Server:
    """A program with this text as its configuration file, not yet started."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "config.yaml"
    file.write_text(config)
    return Server(name, [f"--config={file}", *flags], folder, health)
