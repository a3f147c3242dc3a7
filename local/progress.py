"""What long steps print while they run, and how long they took the last time."""

import json
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from local.paths import cache


def say(line: str) -> None:
    """Print one line to stderr at once, so that the output of a command stays its result."""
    print(line, file=sys.stderr, flush=True)


@contextmanager
def step(what: str) -> Generator[None]:
    """Print that the step `what` begins, and how long it took the last time on this machine; remember its time.

    A step that fails or is interrupted says nothing about the next time, so its time is not remembered.
    """
    last = _times().get(what)
    say(f"{what} (last time {last:.0f} s)" if last is not None else what)
    started = time.monotonic()
    yield
    # Read again: other steps, also those of another checkout, may have ended meanwhile.
    times = _times() | {what: round(time.monotonic() - started, 1)}
    new = _file().with_suffix(".new")
    new.write_text(json.dumps(times, indent=1))
    new.replace(_file())


def _file() -> Path:
    return cache() / "times.json"


def _times() -> dict[str, float]:
    """Step -> seconds; empty if nothing is remembered, or the file cannot be read."""
    try:
        return {str(what): float(seconds) for what, seconds in json.loads(_file().read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
