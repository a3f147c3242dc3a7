"""What long steps print while they run, how long they took the last time, and how much is left."""

import json
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task, TimeElapsedColumn
from rich.text import Text

from local.paths import cache


def say(line: str) -> None:
    """Print one line to stderr at once, so that the output of a command stays its result."""
    print(line, file=sys.stderr, flush=True)


@contextmanager
def step(what: str) -> Generator[None]:
    """Print that the step `what` begins, and how long it took the last time on this machine; remember its time.

    On a terminal, the last line counts the seconds meanwhile, and those that are left. A step that fails or is
    interrupted says nothing about the next time, so its time is not remembered.
    """
    last = _times().get(what)
    say(f"{what} (last time {last:.0f} s)" if last is not None else what)
    started = time.monotonic()
    with _running(last):
        yield
    # Read again: other steps, also those of another checkout, may have ended meanwhile.
    times = _times() | {what: round(time.monotonic() - started, 1)}
    new = _file().with_suffix(".new")
    new.write_text(json.dumps(times, indent=1))
    new.replace(_file())


class Remaining:
    """How long parallel work will still take, from the CPU time that each of its parts took elsewhere."""

    def __init__(self, parts: Mapping[str, float], cores: int) -> None:
        """`parts` maps each part to its CPU seconds elsewhere."""
        self._left = dict(parts)
        self._cores = cores
        self._expected = self._taken = 0.0

    def finish(self, part: str, cpu_seconds: float) -> None:
        """Note that a part is done, and what it took here, which tells how fast this machine is."""
        self._expected += self._left.pop(part)
        self._taken += cpu_seconds

    def __str__(self) -> str:
        speed = self._taken / self._expected if self._expected else 1.0
        minutes = sum(self._left.values()) * speed / self._cores / 60
        return f"about {minutes:.0f} min left" if minutes >= 1 else "less than a minute left"


class _Left(ProgressColumn):
    def render(self, task: Task) -> Text:
        """The seconds that are left if the step takes as long as the last time; empty for a first time."""
        if task.total is None:
            return Text("")
        left = task.total - (task.elapsed or 0)
        return Text(f"about {left:.0f} s left" if left > 0 else "longer than the last time")


@contextmanager
def _running(last: float | None) -> Generator[None]:
    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with Progress(SpinnerColumn(), TimeElapsedColumn(), _Left(), console=console, transient=True) as shown:
        shown.add_task("", total=last)
        yield


def _file() -> Path:
    return cache() / "times.json"


def _times() -> dict[str, float]:
    """Step -> seconds; empty if nothing is remembered, or the file cannot be read."""
    try:
        return {str(what): float(seconds) for what, seconds in json.loads(_file().read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
