"""A copy of this checkout as `git clone` and one more `cp -r` would make it."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.mock_engine import ROOT

EXAMPLE = Path("docs/onboarding/example")


def copy(folder: Path) -> None:
    """Every file that is, or would be, committed; without what git ignores."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, listed):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def added(folder: Path) -> set[str]:
    """Copy the example into it, as docs/onboarding.md says; the names of its files."""
    names = {str(file.relative_to(folder / EXAMPLE)) for file in (folder / EXAMPLE).rglob("*") if file.is_file()}
    shutil.copytree(folder / EXAMPLE, folder, dirs_exist_ok=True)
    return names


def hashes(folder: Path) -> dict[str, str]:
    """Name -> digest of every file in it but compiled Python."""
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts and ".hypothesis" not in file.parts
    }


def python(folder: Path, *arguments: str) -> str:
    """Standard output of this interpreter with the modules of the copy; it must succeed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**environment, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    return done.stdout
