"""Captures the log lines of the code under test."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from simulator.engine import logs


class Lines:
    """The lines that were written so far."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    def read(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


@contextmanager
def captured(service: str = "test") -> Iterator[Lines]:
    """Configures logging as in a pod of this service, and restores pytest's configuration afterwards."""
    root = logging.getLogger()
    before, level = root.handlers, root.level
    lines = Lines()
    logs.configure(service, stream=lines.stream)
    try:
        yield lines
    finally:
        root.handlers = before
        root.setLevel(level)
        structlog.reset_defaults()
