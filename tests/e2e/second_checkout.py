"""A copy of this checkout, which has a cluster of its own."""

import shutil
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from local.paths import ROOT


@contextmanager
def second_checkout(folder: Path) -> Generator[Path]:
    """Folder of the copy, below `folder`. Its cluster is removed at the end."""
    copy = folder / "second"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".state", ".venv*", ".git", "*cache*", ".hypothesis"))
    try:
        yield copy
    finally:
        local(copy, "cluster", "down")


def local(checkout: Path, *arguments: str) -> str:
    """What `python -m local` prints there; fails with its errors."""
    done = subprocess.run(
        [sys.executable, "-m", "local", *arguments], cwd=checkout, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr
