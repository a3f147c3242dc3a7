"""A copy of the checkout's rules, dashboards and stack files, changed by a test and compared with the original."""

import functools
import shutil
from pathlib import Path

from ops.summary import snapshot
from ops.summary.snapshot import Snapshot

ROOT = Path(__file__).resolve().parents[3]
STACK = "staging"


class Copy:
    """A folder with files of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(ROOT / "rules", folder / "rules", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
        shutil.copytree(ROOT / "dashboards", folder / "dashboards", ignore=shutil.ignore_patterns("*.py", "builder"))
        for file in ROOT.glob("Pulumi*.yaml"):
            shutil.copy(file, folder)

    def replace(self, file: str, old: str, new: str) -> None:
        """Replace the first place; a text that is not there is a broken test."""
        path = self.folder / file
        text = path.read_text()
        assert old in text, f"{file} has no {old!r}"
        path.write_text(text.replace(old, new, 1))

    def set(self, stack: str, line: str) -> None:
        """Add a setting to a stack's file; `line` as YAML without the prefix."""
        path = self.folder / f"Pulumi.{stack}.yaml"
        path.write_text(f"{path.read_text().rstrip()}\n  observability:{line}\n")

    def read(self, stack: str = STACK) -> Snapshot:
        """What it deploys."""
        return snapshot.read(self.folder, stack, name="copy")


@functools.cache
def original(stack: str = STACK) -> Snapshot:
    """What the checkout deploys."""
    return snapshot.read(ROOT, stack, name="original")
